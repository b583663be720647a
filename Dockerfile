# Two targets: `docker build --target cpu .` and `docker build --target gpu .`
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

FROM runtime AS cpu
COPY --from=cpu-packages /opt/posetrack /opt/posetrack
