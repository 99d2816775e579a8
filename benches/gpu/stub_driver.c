/* A CUDA stub driver: every call succeeds, memory is the host's, kernels are loaded and not run.
 *
 * With it `--backend cuda` goes its whole way on a machine without a GPU, NVRTC compiling every kernel for the architecture asked for. It
 * shows that kernels compile with the headers that are there and that the program asks nothing of the driver that an older one lacks. What is
 * computed is zeros. README.md beside this file says how to use it.
 *
 *   cc -shared -fPIC -O1 -o libcuda.so.1 stub_driver.c
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

typedef int Result;
typedef unsigned long long Pointer;

static int setting(const char *name, int otherwise) {
    const char *text = getenv(name);
    return text ? atoi(text) : otherwise;
}

Result cuInit(unsigned flags) { (void)flags; return 0; }
Result cuDriverGetVersion(int *version) { *version = setting("STUB_CUDA", 13020); return 0; }
Result cuDeviceGetCount(int *count) { *count = setting("STUB_DEVICES", 1); return 0; }
Result cuDeviceGet(int *device, int index) {
    if (index >= setting("STUB_DEVICES", 1)) return 101;
    *device = index;
    return 0;
}
Result cuDeviceGetName(char *name, int length, int device) {
    (void)device;
    snprintf(name, length, "stub (no GPU: results are zeros)");
    return 0;
}
Result cuDeviceTotalMem_v2(size_t *bytes, int device) { (void)device; *bytes = (size_t)16 << 30; return 0; }
Result cuDeviceGetAttribute(int *value, int attribute, int device) {
    (void)device;
    int arch = setting("STUB_ARCH", 90);
    switch (attribute) {
    case 1: *value = 1024; break;             /* threads a block */
    case 2: case 3: *value = 1024; break;     /* block x, y */
    case 4: *value = 64; break;               /* block z */
    case 5: *value = 2147483647; break;       /* grid x */
    case 6: case 7: *value = 65535; break;    /* grid y, z */
    case 10: *value = 32; break;              /* warp */
    case 16: *value = 132; break;             /* multiprocessors */
    case 75: *value = arch / 10; break;
    case 76: *value = arch % 10; break;
    case 97: *value = arch >= 90 ? 232448 : arch == 80 ? 166912 : 101376; break; /* shared memory a block */
    default: *value = 0;
    }
    return 0;
}
Result cuGetErrorName(int error, const char **name) {
    *name = error == 100 ? "CUDA_ERROR_NO_DEVICE" : error == 101 ? "CUDA_ERROR_INVALID_DEVICE" : "an error of the stub driver";
    return 0;
}
Result cuGetErrorString(int error, const char **text) { return cuGetErrorName(error, text); }

/* NVRTC asks for tables of its own; without them it does what it does where there is no driver. */
Result cuGetExportTable(const void **table, const void *id) { (void)id; *table = NULL; return 500; }

static int thing;
Result cuDevicePrimaryCtxRetain(void **context, int device) { (void)device; *context = &thing; return 0; }
Result cuDevicePrimaryCtxRelease_v2(int device) { (void)device; return 0; }
Result cuCtxSetCurrent(void *context) { (void)context; return 0; }
Result cuCtxSynchronize(void) { return 0; }

/* Zeroed, aligned as a driver's is, and not there before it is touched: a GPU's memory may be more than this machine has. */
#define HEADER 4096
static void *take(size_t bytes) {
    size_t whole = bytes + HEADER;
    char *at = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) return NULL;
    *(size_t *)at = whole;
    return at + HEADER;
}
static void drop(void *memory) {
    if (!memory) return;
    char *at = (char *)memory - HEADER;
    munmap(at, *(size_t *)at);
}
/* STUB_MIB: asked for more at once, memory has run out. */
static Result give(Pointer *at, size_t bytes) {
    if (bytes >> 20 >= (size_t)setting("STUB_MIB", 1 << 20)) return 2;
    *at = (Pointer)take(bytes);
    return *at ? 0 : 2;
}
Result cuMemAlloc_v2(Pointer *at, size_t bytes) { return give(at, bytes); }
Result cuMemAllocAsync(Pointer *at, size_t bytes, void *stream) { (void)stream; return give(at, bytes); }
Result cuMemFree_v2(Pointer at) { drop((void *)at); return 0; }
Result cuMemFreeAsync(Pointer at, void *stream) { (void)stream; drop((void *)at); return 0; }
Result cuMemAllocHost_v2(void **at, size_t bytes) { *at = take(bytes); return *at ? 0 : 2; }
Result cuMemFreeHost(void *at) { drop(at); return 0; }

/* Copies to the host are counted: a step of training must not have any. */
static unsigned long reads;
static void tell(void) {
    if (getenv("STUB_COUNT")) fprintf(stderr, "stub: %lu copies from device to host\n", reads);
}
static void count(void) {
    if (!reads++) atexit(tell);
    if (getenv("STUB_TRACE")) fprintf(stderr, "stub: copy %lu from device to host\n", reads);
}
Result cuMemcpyHtoDAsync_v2(Pointer to, const void *from, size_t bytes, void *stream) {
    (void)stream;
    memcpy((void *)to, from, bytes);
    return 0;
}
Result cuMemcpyDtoHAsync_v2(void *to, Pointer from, size_t bytes, void *stream) {
    (void)stream;
    count();
    memcpy(to, (void *)from, bytes);
    return 0;
}
Result cuMemcpyDtoDAsync_v2(Pointer to, Pointer from, size_t bytes, void *stream) {
    (void)stream;
    memcpy((void *)to, (void *)from, bytes);
    return 0;
}
/* CUDA_MEMCPY2D of cuda.h. */
typedef struct {
    size_t from_x, from_y;
    unsigned from_type;
    const void *from_host;
    Pointer from_device;
    void *from_array;
    size_t from_pitch, to_x, to_y;
    unsigned to_type;
    void *to_host;
    Pointer to_device;
    void *to_array;
    size_t to_pitch, width, height;
} Copy2D;
Result cuMemcpy2DAsync_v2(const Copy2D *copy, void *stream) {
    (void)stream;
    const char *from = copy->from_type == 1 ? copy->from_host : (const char *)copy->from_device;
    char *to = copy->to_type == 1 ? copy->to_host : (char *)copy->to_device;
    if (copy->to_type == 1 && copy->from_type != 1) count();
    for (size_t row = 0; row < copy->height; row++)
        memcpy(to + (copy->to_y + row) * copy->to_pitch + copy->to_x, from + (copy->from_y + row) * copy->from_pitch + copy->from_x, copy->width);
    return 0;
}

Result cuStreamCreate(void **stream, unsigned flags) { (void)flags; *stream = &thing; return 0; }
Result cuStreamDestroy_v2(void *stream) { (void)stream; return 0; }
Result cuStreamSynchronize(void *stream) { (void)stream; return 0; }
Result cuStreamWaitEvent(void *stream, void *event, unsigned flags) { (void)stream; (void)event; (void)flags; return 0; }
Result cuLaunchHostFunc(void *stream, void (*call)(void *), void *argument) { (void)stream; call(argument); return 0; }
Result cuEventCreate(void **event, unsigned flags) { (void)flags; *event = &thing; return 0; }
Result cuEventRecord(void *event, void *stream) { (void)event; (void)stream; return 0; }
Result cuEventSynchronize(void *event) { (void)event; return 0; }
Result cuEventDestroy_v2(void *event) { (void)event; return 0; }

Result cuModuleLoadData(void **module, const void *image) { (void)image; *module = &thing; return 0; }
Result cuModuleGetFunction(void **function, void *module, const char *name) { (void)module; (void)name; *function = &thing; return 0; }
Result cuFuncSetAttribute(void *function, int attribute, int value) { (void)function; (void)attribute; (void)value; return 0; }
Result cuLaunchKernel(void *function, unsigned a, unsigned b, unsigned c, unsigned d, unsigned e, unsigned f, unsigned shared, void *stream,
                      void **arguments, void **extra) {
    (void)function; (void)a; (void)b; (void)c; (void)d; (void)e; (void)f; (void)shared; (void)stream; (void)arguments; (void)extra;
    return 0;
}
/* What a tensor map is does not matter where nothing runs; these take more arguments than are named. */
Result cuTensorMapEncodeTiled(void *map) { memset(map, 0, 128); return 0; }
Result cuTensorMapEncodeIm2col(void *map) { memset(map, 0, 128); return 0; }
Result cuTensorMapEncodeIm2colWide(void *map) { memset(map, 0, 128); return 0; }
