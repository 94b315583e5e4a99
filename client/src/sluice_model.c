/* sluice_model.c - a model's metadata, kept as protobuf-c unpacked it. */
#include <stdlib.h>

#include "inference/inference.pb-c.h"
#include "sluice_wire.h"

typedef Inference__ModelMetadataResponse__TensorMetadata pb_tensor;

struct sluice_model {
    Inference__ModelMetadataResponse *message; /* owned; all texts and shapes lie here */
    struct sluice_tensor_info *inputs;
    struct sluice_tensor_info *outputs;
};

/* The tensors as the header shows them; NULL: no memory. */
static struct sluice_tensor_info *view_tensors(pb_tensor *const *tensors, size_t count)
{
    struct sluice_tensor_info *infos = calloc(count > 0 ? count : 1, sizeof(*infos));
    for (size_t i = 0; infos != NULL && i < count; i++)
        infos[i] = (struct sluice_tensor_info){.name = tensors[i]->name,
                                               .datatype = tensors[i]->datatype,
                                               .shape = tensors[i]->shape,
                                               .rank = tensors[i]->n_shape};
    return infos;
}

sl_status sluice_wire_get_model(struct sl_span message, struct sluice_model **out)
{
    struct sluice_model *m = calloc(1, sizeof(*m));

    *out = NULL;
    if (m == NULL)
        return SL_ENOMEM;
    m->message = inference__model_metadata_response__unpack(NULL, message.len, message.data);
    if (m->message == NULL) {
        free(m);
        return SL_EPROTO;
    }
    m->inputs = view_tensors(m->message->inputs, m->message->n_inputs);
    m->outputs = view_tensors(m->message->outputs, m->message->n_outputs);
    if (m->inputs == NULL || m->outputs == NULL) {
        sluice_model_destroy(m);
        return SL_ENOMEM;
    }
    *out = m;
    return SL_OK;
}

void sluice_model_destroy(struct sluice_model *model)
{
    if (model == NULL)
        return;
    inference__model_metadata_response__free_unpacked(model->message, NULL);
    free(model->inputs);
    free(model->outputs);
    free(model);
}

const char *sluice_model_name(const struct sluice_model *model)
{
    return model->message->name;
}

const char *sluice_model_platform(const struct sluice_model *model)
{
    return model->message->platform;
}

size_t sluice_model_version_count(const struct sluice_model *model)
{
    return model->message->n_versions;
}

const char *sluice_model_version(const struct sluice_model *model, size_t index)
{
    return index < model->message->n_versions ? model->message->versions[index] : NULL;
}

size_t sluice_model_input_count(const struct sluice_model *model)
{
    return model->message->n_inputs;
}

const struct sluice_tensor_info *sluice_model_input(const struct sluice_model *model, size_t index)
{
    return index < model->message->n_inputs ? &model->inputs[index] : NULL;
}

size_t sluice_model_output_count(const struct sluice_model *model)
{
    return model->message->n_outputs;
}

const struct sluice_tensor_info *sluice_model_output(const struct sluice_model *model, size_t index)
{
    return index < model->message->n_outputs ? &model->outputs[index] : NULL;
}
