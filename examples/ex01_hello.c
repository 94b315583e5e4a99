/* ex01_hello.c - the smallest whole program: four numbers to the model `identity`, and back.
 *
 *     sluice up &                      # or any server of the Open Inference Protocol
 *     ex01_hello [HOST:PORT]
 */
#include <sluice/sluice.h>
#include <stdio.h>

static int run(struct sluice_channel *channel, struct sluice_request *request)
{
    static const float numbers[4] = {1.0F, 2.5F, -3.0F, 1e6F};
    static const int64_t shape[2] = {1, 4};
    struct sluice_result *result;
    struct sluice_status status;

    /* The numbers are sent from where they lie. A refusal here would be told by sluice_infer. */
    sluice_request_add_input(request, "INPUT0", "FP32", shape, 2, numbers, sizeof(numbers));
    if (sluice_infer(channel, request, NULL, &result, &status) != SLUICE_OK) {
        fprintf(stderr, "%s (%s): %s\n", sluice_code_name(status.code), status.reason,
                status.message);
        sluice_result_destroy(result);
        return 1;
    }
    for (size_t i = 0; i < sluice_result_output_count(result); i++) {
        const struct sluice_tensor *output = sluice_result_output(result, i);
        const float *values = output->data;
        printf("%s:", output->name);
        for (size_t j = 0; j < output->bytes / sizeof(float); j++)
            printf(" %g", (double)values[j]);
        printf("\n");
    }
    struct sluice_receipt receipt = SLUICE_RECEIPT_INIT;
    if (sluice_result_receipt(result, &receipt)) /* another server tells of no GPU time */
        printf("%.3f ms charged to %s, %lld s left\n", (double)receipt.charged_us / 1e3,
               receipt.visitor, (long long)receipt.left_us / 1000000);
    sluice_result_destroy(result);
    return 0;
}

int main(int argc, char **argv)
{
    const char *address = argc > 1 ? argv[1] : "127.0.0.1:8001";
    struct sluice_channel *channel;
    struct sluice_request *request;
    struct sluice_status status;

    if (sluice_channel_create(address, NULL, &channel, &status) != SLUICE_OK) {
        fprintf(stderr, "%s\n", status.message);
        return 2;
    }
    if (sluice_request_create("identity", "", &request) != SLUICE_OK) {
        fprintf(stderr, "out of memory\n");
        sluice_channel_destroy(channel);
        return 1;
    }
    int code = run(channel, request);
    sluice_request_destroy(request);
    sluice_channel_destroy(channel);
    return code;
}
