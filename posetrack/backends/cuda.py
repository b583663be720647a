"""Memory and a stream of one GPU, through cuda-python or pycuda: the seam below TensorRT.

cuda-python has wheels; pycuda must be compiled against a CUDA toolkit, and is taken where it alone
is installed. Pointers and streams are plain integers, as TensorRT takes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from typing import Any, Protocol

from posetrack.backends.protocol import Array
from posetrack.errors import BackendError, BackendMissing, DeviceError


class DeviceMemory(Protocol):
    """One device. Copies are queued on `stream`; host arrays must live until `wait`.

    Everything but making one is done inside `current`, whichever thread that is in.

    Attributes:
        name: of the device, with its compute capability: engines are good for no other.
        stream: handle of the stream.
    """

    name: str
    stream: int

    def current(self) -> AbstractContextManager[None]:
        """Make the device the calling thread's."""
        ...

    def allocate(self, size: int) -> int:
        """Address of `size` new bytes."""
        ...

    def free(self, address: int) -> None:
        """Give bytes back."""
        ...

    def upload(self, array: Array, address: int) -> None:
        """Queue a copy of a contiguous array to the device."""
        ...

    def download(self, address: int, array: Array) -> None:
        """Queue a copy from the device into a contiguous array."""
        ...

    def wait(self) -> None:
        """Return when everything queued is done."""
        ...

    def close(self) -> None:
        """Give the stream back."""
        ...


def open_memory(number: int) -> DeviceMemory:
    """The GPU of that number.

    Raises:
        BackendMissing: neither cuda-python nor pycuda is installed.
        DeviceError: there is no such GPU, or no driver.
    """
    if _has("cuda.bindings"):
        return CudaPythonMemory(number)
    if _has("pycuda"):
        return PyCudaMemory(number)
    raise BackendMissing(
        "tensorrt needs cuda-python or pycuda, neither is installed: pip install posetrack[trt]"
    )


def _has(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of the package around it
        return False


class CudaPythonMemory:
    """Through ``cuda.bindings.runtime``, whose calls answer (error, values...)."""

    def __init__(self, number: int) -> None:
        from cuda.bindings import runtime

        self._cuda = runtime
        self._to, self._from = (
            runtime.cudaMemcpyKind.cudaMemcpyHostToDevice,
            runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost,
        )
        try:
            count = int(self._do(runtime.cudaGetDeviceCount()))
        except (BackendError, RuntimeError) as error:  # the driver's library is not there
            text = " ".join(str(error).split())[:120]
            raise DeviceError(
                f"device 'cuda:{number}' asked, no GPU answers ({text}): check the driver"
            ) from error
        if number >= count:
            raise DeviceError(
                f"device 'cuda:{number}' asked, {count} GPUs are here: ask for one of these"
            )
        self._number = number
        self._do(runtime.cudaSetDevice(number))
        facts = self._do(runtime.cudaGetDeviceProperties(number))
        name = facts.name.decode() if isinstance(facts.name, bytes) else str(facts.name)
        self.name = f"{name.strip(chr(0))} sm_{facts.major}{facts.minor}"
        self.stream = int(self._do(runtime.cudaStreamCreate()))

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make the device the calling thread's."""
        self._do(self._cuda.cudaSetDevice(self._number))
        yield

    def allocate(self, size: int) -> int:
        """Address of `size` new bytes."""
        return int(self._do(self._cuda.cudaMalloc(size)))

    def free(self, address: int) -> None:
        """Give bytes back."""
        self._do(self._cuda.cudaFree(address))

    def upload(self, array: Array, address: int) -> None:
        """Queue a copy of a contiguous array to the device."""
        copy = (address, array.ctypes.data, array.nbytes, self._to, self.stream)
        self._do(self._cuda.cudaMemcpyAsync(*copy))

    def download(self, address: int, array: Array) -> None:
        """Queue a copy from the device into a contiguous array."""
        copy = (array.ctypes.data, address, array.nbytes, self._from, self.stream)
        self._do(self._cuda.cudaMemcpyAsync(*copy))

    def wait(self) -> None:
        """Return when everything queued is done."""
        self._do(self._cuda.cudaStreamSynchronize(self.stream))

    def close(self) -> None:
        """Give the stream back."""
        self._do(self._cuda.cudaStreamDestroy(self.stream))

    @staticmethod
    def _do(answer: tuple[Any, ...]) -> Any:
        error, *values = answer
        if int(error) != 0:
            raise BackendError(f"CUDA answered {getattr(error, 'name', error)}")
        return values[0] if values else None


class PyCudaMemory:
    """Through ``pycuda.driver``, in the device's primary context, which TensorRT uses too."""

    def __init__(self, number: int) -> None:
        import pycuda.driver as cuda

        self._cuda = cuda
        try:
            cuda.init()
            count = cuda.Device.count()
        except cuda.Error as error:
            raise DeviceError(
                f"device 'cuda:{number}' asked, no GPU answers ({error}): check the driver"
            ) from error
        if number >= count:
            raise DeviceError(
                f"device 'cuda:{number}' asked, {count} GPUs are here: ask for one of these"
            )
        device = cuda.Device(number)
        major, minor = device.compute_capability()
        self.name = f"{device.name()} sm_{major}{minor}"
        self._context = device.retain_primary_context()
        with self.current():
            self._stream = cuda.Stream()
        self.stream = int(self._stream.handle)
        self._held: dict[int, Any] = {}

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make the device the calling thread's."""
        self._context.push()
        try:
            yield
        finally:
            self._context.pop()

    def allocate(self, size: int) -> int:
        """Address of `size` new bytes."""
        allocation = self._cuda.mem_alloc(size)
        self._held[int(allocation)] = allocation
        return int(allocation)

    def free(self, address: int) -> None:
        """Give bytes back."""
        self._held.pop(address).free()

    def upload(self, array: Array, address: int) -> None:
        """Queue a copy of a contiguous array to the device."""
        self._cuda.memcpy_htod_async(address, array, self._stream)

    def download(self, address: int, array: Array) -> None:
        """Queue a copy from the device into a contiguous array."""
        self._cuda.memcpy_dtoh_async(array, address, self._stream)

    def wait(self) -> None:
        """Return when everything queued is done."""
        self._stream.synchronize()

    def close(self) -> None:
        """Give the context back; it goes with its last user."""
        self._context.detach()
