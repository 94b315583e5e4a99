/* cli_pb_json.c - any message of sluice.v1 as JSON. */
#include "cli_pb_json.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static int64_t read_number(const void *at, size_t bytes)
{
    int64_t wide;
    int32_t narrow;

    if (bytes == sizeof(wide)) {
        memcpy(&wide, at, sizeof(wide));
        return wide;
    }
    memcpy(&narrow, at, sizeof(narrow));
    return narrow;
}

static const void *read_pointer(const void *at)
{
    const void *p;
    memcpy(&p, at, sizeof(p));
    return p;
}

/* How many bytes an element of a repeated field takes. */
static size_t element_bytes(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(int64_t);
    default:
        return sizeof(int32_t);
    }
}

static json_t *enum_json(const ProtobufCEnumDescriptor *d, int value)
{
    const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(d, value);
    return v != NULL ? json_string(v->name) : json_integer(value);
}

static json_t *value_json(const ProtobufCFieldDescriptor *f, const void *at)
{
    const void *p;

    switch (f->type) {
    case PROTOBUF_C_TYPE_STRING:
        p = read_pointer(at);
        return json_string(p != NULL ? p : "");
    case PROTOBUF_C_TYPE_MESSAGE:
        p = read_pointer(at);
        return p != NULL ? cli_pb_json(p) : json_null();
    case PROTOBUF_C_TYPE_BOOL:
        return json_boolean(read_number(at, sizeof(int32_t)) != 0);
    case PROTOBUF_C_TYPE_ENUM:
        return enum_json(f->descriptor, (int)read_number(at, sizeof(int32_t)));
    case PROTOBUF_C_TYPE_UINT32:
        return json_integer((uint32_t)read_number(at, sizeof(uint32_t)));
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
        return json_integer(read_number(at, element_bytes(f->type)));
    default:
        return json_null(); /* floats and bytes: no message of ours has them */
    }
}

static json_t *field_json(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    const uint8_t *base = (const uint8_t *)m;
    size_t count;

    if (f->label != PROTOBUF_C_LABEL_REPEATED)
        return value_json(f, base + f->offset);
    memcpy(&count, base + f->quantifier_offset, sizeof(count));
    const uint8_t *elements = read_pointer(base + f->offset);
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        if (json_array_append_new(array, value_json(f, elements + i * element_bytes(f->type))) !=
            0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

json_t *cli_pb_json(const ProtobufCMessage *m)
{
    json_t *o = json_object();

    for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
        if (json_object_set_new(o, f->name, field_json(m, f)) != 0) {
            json_decref(o);
            return NULL;
        }
    }
    return o;
}
