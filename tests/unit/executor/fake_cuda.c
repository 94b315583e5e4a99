/* fake_cuda.c - a library with every function of ex_cuda_api.h: each counts its calls and answers
 * EX_CU_ERROR_NOT_READY, so that a test can tell that it was reached. */
#include "ex_cuda_api.h"

int fake_cuda_calls;

#define FAKE(member, symbol, params)                                                               \
    ex_cu_result symbol params;                                                                    \
    ex_cu_result symbol params                                                                     \
    {                                                                                              \
        fake_cuda_calls++;                                                                         \
        return EX_CU_ERROR_NOT_READY;                                                              \
    }
EX_CUDA_FUNCTIONS(FAKE)
