/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Finds OpenSSL: the one that the program has already, or 3, or 1.1. Never given
 * back, because its threads' data and exit handlers could not be. In a program
 * linked statically this works where the C library is the one it was linked with.
 */
#include "util/tls_library.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

/* Its own clean-up at exit would pull the library from under a thread that still
 * sends; the kernel takes the memory back anyway. */
#define INIT_NO_ATEXIT UINT64_C(0x00080000)

static struct tls_library library;
static bool loaded, tried;
static char missing[80];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static bool find_functions(void *handle)
{
    void *found;
#define TLS_FUNCTION_FIND(name, result, parameters)                                                \
    found = dlsym(handle, #name);                                                                  \
    if (!found) {                                                                                  \
        memcpy(missing, #name, sizeof #name);                                                      \
        return false;                                                                              \
    }                                                                                              \
    memcpy(&library.name, &found, sizeof found);
    TLS_FUNCTIONS(TLS_FUNCTION_FIND)
#undef TLS_FUNCTION_FIND
    return true;
}

static bool load(void)
{
    static const char *const names[] = {"libssl.so.3", "libssl.so.1.1"};
    for (unsigned i = 0; i < 4; i++) { /* what is there already first */
        void *handle = dlopen(names[i % 2], RTLD_NOW | RTLD_LOCAL | (i < 2 ? RTLD_NOLOAD : 0));
        if (handle && find_functions(handle))
            return library.OPENSSL_init_ssl(INIT_NO_ATEXIT, NULL) == 1;
        if (handle && i >= 2)
            dlclose(handle);
    }
    return false;
}

int tls_library_get(const struct tls_library **out, struct oriel_err *err)
{
    int kept = errno;
    pthread_mutex_lock(&lock);
    if (!tried)
        loaded = load();
    tried = true;
    bool ok = loaded;
    pthread_mutex_unlock(&lock);
    errno = kept;
    if (ok) {
        *out = &library;
        return 0;
    }
    if (missing[0])
        return err_set(err, ORIEL_EUNSUPPORTED,
                       "https needs OpenSSL 1.1.1 or newer: the one on this "
                       "machine has no %s",
                       missing);
    return err_set(err, ORIEL_EUNSUPPORTED,
                   "https needs OpenSSL, which is not on this machine: "
                   "install libssl.so.3 (Debian: libssl3)");
}
