# Targets: `docker build --target cpu .`, `docker build --target gpu .`, `docker build --target serve .`
FROM python:3.12-slim AS wheel
WORKDIR /src
RUN pip install --no-cache-dir build
COPY . .
RUN python -m build --wheel --outdir /dist .

FROM python:3.12-slim AS cpu-packages
COPY --from=wheel /dist /dist
# The headless OpenCV needs no system libraries; it takes the place of the windowed one.
RUN python -m venv /opt/posetrack \
 && /opt/posetrack/bin/pip install --no-cache-dir /dist/*.whl \
 && /opt/posetrack/bin/pip uninstall -y opencv-python \
 && /opt/posetrack/bin/pip install --no-cache-dir opencv-python-headless

FROM cpu-packages AS gpu-packages
# onnxruntime and onnxruntime-gpu share their import name: one replaces the other.
RUN /opt/posetrack/bin/pip uninstall -y onnxruntime \
 && /opt/posetrack/bin/pip install --no-cache-dir "onnxruntime-gpu[cuda,cudnn]"

FROM python:3.12-slim AS runtime
RUN useradd --create-home --uid 10001 posetrack
ENV PATH=/opt/posetrack/bin:$PATH PYTHONUNBUFFERED=1 POSETRACK_MODELS=/models
RUN mkdir /models && chown posetrack /models
WORKDIR /work
USER posetrack
STOPSIGNAL SIGTERM
ENTRYPOINT ["posetrack"]
CMD ["--help"]

FROM runtime AS gpu
COPY --from=gpu-packages /opt/posetrack /opt/posetrack

FROM cpu-packages AS serve-packages
RUN WHEEL=$(ls /dist/*.whl) \
 && /opt/posetrack/bin/pip install --no-cache-dir "$WHEEL[serve,mqtt,redis]" \
 && /opt/posetrack/bin/pip uninstall -y opencv-python \
 && /opt/posetrack/bin/pip install --no-cache-dir --force-reinstall --no-deps opencv-python-headless

# docker run --read-only --tmpfs /tmp -p 8791:8791 -v $PWD/my.yaml:/etc/posetrack/serve.yaml:ro \
#   -v poses:/media -e POSETRACK_TOKEN=... IMAGE
FROM runtime AS serve
USER root
RUN mkdir /media && chown posetrack /media
USER posetrack
COPY --from=serve-packages /opt/posetrack /opt/posetrack
# Inside a container the outside decides who reaches it; a token is needed all the same.
ENV POSETRACK_LISTEN_HOST=0.0.0.0 POSETRACK_MEDIA_ROOT=/media
VOLUME ["/media", "/models"]
EXPOSE 8791
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 CMD \
  ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8791/healthz', timeout=2)"]
CMD ["serve", "/etc/posetrack/serve.yaml"]

FROM runtime AS cpu
COPY --from=cpu-packages /opt/posetrack /opt/posetrack
