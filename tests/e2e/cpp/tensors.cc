// tensors.cc - tensors of every datatype there and back: raw, typed, empty, large, compressed.
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <random>

#include "client.hh"

namespace {

using Contents = inference::InferTensorContents;

// Asks the model that echoes IN as OUT and compares every bit.
void expect_echo(Run *run, const ModelInferRequest &request, const std::string &wanted,
                 const std::string &what) {
    grpc::ClientContext context;
    ModelInferResponse reply;
    deadline_in(&context, 120000);
    expect_ok(run->stub->ModelInfer(&context, request, &reply), what);
    expect_equal(reply.outputs_size(), 1, what + ", outputs");
    expect_equal(reply.raw_output_contents_size(), 1, what + ", raw contents");
    expect_equal(reply.outputs(0).datatype(), request.inputs(0).datatype(), what + ", datatype");
    expect_equal(reply.outputs(0).shape(0), request.inputs(0).shape(0), what + ", shape");
    expect_equal(reply.raw_output_contents(0).size(), wanted.size(), what + ", bytes");
    expect(reply.raw_output_contents(0) == wanted, what + ": the bytes differ");
}

std::string model_of(std::string datatype) {
    for (char &c : datatype)
        c = static_cast<char>(std::tolower(c));
    return "echo_" + datatype;
}

void send_raw(Run *run, const std::string &datatype, int64_t elements, const std::string &bytes) {
    ModelInferRequest request = request_of(model_of(datatype), datatype, elements);
    request.add_raw_input_contents(bytes);
    expect_echo(run, request, bytes, datatype + " raw");
}

// Values of T raw, and typed through the field that `add` appends to.
template <typename T, typename Add>
void both_ways(Run *run, const std::string &datatype, const std::vector<T> &values, Add add) {
    std::string bytes(values.size() * sizeof(T), '\0');
    std::memcpy(bytes.data(), values.data(), bytes.size());
    int64_t elements = static_cast<int64_t>(values.size());
    send_raw(run, datatype, elements, bytes);
    ModelInferRequest request = request_of(model_of(datatype), datatype, elements);
    for (T value : values)
        add(request.mutable_inputs(0)->mutable_contents(), value);
    expect_echo(run, request, bytes, datatype + " typed");
}

template <typename T>
std::vector<T> edges() {
    using Limits = std::numeric_limits<T>;
    return {Limits::lowest(), Limits::max(), T(0), T(1), T(Limits::max() / 3)};
}

template <typename T>
std::vector<T> float_edges() {
    using Limits = std::numeric_limits<T>;
    return {T(-0.0), Limits::denorm_min(), Limits::infinity(), -Limits::infinity(),
            Limits::quiet_NaN(), Limits::max(), T(1) / T(3)};
}

std::string element(const std::string &text) {
    uint32_t length = static_cast<uint32_t>(text.size());
    return std::string(reinterpret_cast<char *>(&length), sizeof length) + text;
}

void texts_both_ways(Run *run) {
    const std::vector<std::string> texts = {"", "a", std::string("\0\xff", 2), "gr\xc3\xb6\xc3\x9f" "er"};
    std::string bytes;
    for (const std::string &text : texts)
        bytes += element(text);
    send_raw(run, "BYTES", 4, bytes);
    ModelInferRequest request = request_of("echo_bytes", "BYTES", 4);
    for (const std::string &text : texts)
        request.mutable_inputs(0)->mutable_contents()->add_bytes_contents(text);
    expect_echo(run, request, bytes, "BYTES typed");
}

std::string random_bytes(size_t count) {
    std::mt19937_64 random(count);
    std::string bytes(count, '\0');
    for (size_t at = 0; at + 8 <= count; at += 8) {
        uint64_t word = random();
        std::memcpy(&bytes[at], &word, 8);
    }
    return bytes;
}

void send_compressed(Run *run, grpc_compression_algorithm how, const std::string &name) {
    std::string bytes(1 << 20, 'x');
    ModelInferRequest request = request_of("echo_uint8", "UINT8", 1 << 20);
    request.add_raw_input_contents(bytes);
    grpc::ClientContext context;
    ModelInferResponse reply;
    context.set_compression_algorithm(how);
    expect_ok(run->stub->ModelInfer(&context, request, &reply), name);
    expect(reply.raw_output_contents(0) == bytes, name + ": the bytes differ");
    auto encoding = context.GetServerInitialMetadata().find("grpc-encoding");
    // gRPC C++ keeps the header to itself in some versions; where it shows it, it must be ours.
    if (encoding != context.GetServerInitialMetadata().end())
        expect_equal(text_of(encoding->second), name, "grpc-encoding of the reply");
}

}  // namespace

void datatypes(Run *run) {
    both_ways<uint8_t>(run, "BOOL", {1, 0, 1}, [](Contents *c, uint8_t v) { c->add_bool_contents(v != 0); });
    both_ways<int8_t>(run, "INT8", edges<int8_t>(), [](Contents *c, int8_t v) { c->add_int_contents(v); });
    both_ways<int16_t>(run, "INT16", edges<int16_t>(), [](Contents *c, int16_t v) { c->add_int_contents(v); });
    both_ways<int32_t>(run, "INT32", edges<int32_t>(), [](Contents *c, int32_t v) { c->add_int_contents(v); });
    both_ways<int64_t>(run, "INT64", edges<int64_t>(), [](Contents *c, int64_t v) { c->add_int64_contents(v); });
    both_ways<uint8_t>(run, "UINT8", edges<uint8_t>(), [](Contents *c, uint8_t v) { c->add_uint_contents(v); });
    both_ways<uint16_t>(run, "UINT16", edges<uint16_t>(), [](Contents *c, uint16_t v) { c->add_uint_contents(v); });
    both_ways<uint32_t>(run, "UINT32", edges<uint32_t>(), [](Contents *c, uint32_t v) { c->add_uint_contents(v); });
    both_ways<uint64_t>(run, "UINT64", edges<uint64_t>(), [](Contents *c, uint64_t v) { c->add_uint64_contents(v); });
    both_ways<float>(run, "FP32", float_edges<float>(), [](Contents *c, float v) { c->add_fp32_contents(v); });
    both_ways<double>(run, "FP64", float_edges<double>(), [](Contents *c, double v) { c->add_fp64_contents(v); });
    send_raw(run, "FP16", 3, std::string("\x00\x3c\x00\x7c\xff\xff", 6));
    send_raw(run, "BF16", 3, std::string("\x80\x3f\x80\x7f\xff\xff", 6));
    texts_both_ways(run);
}

void empty_tensors(Run *run) {
    for (const char *datatype : {"BOOL", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32",
                                 "UINT64", "FP16", "FP32", "FP64", "BF16", "BYTES"})
        send_raw(run, datatype, 0, "");
    expect_echo(run, request_of("echo_fp32", "FP32", 0), "", "FP32 typed, without contents");
}

void large(Run *run) {
    size_t bytes = std::stoul(run->args.at(0)) << 20;
    send_raw(run, "INT64", static_cast<int64_t>(bytes / 8), random_bytes(bytes));
}

void compressed(Run *run) {
    send_compressed(run, GRPC_COMPRESS_GZIP, "gzip");
    send_compressed(run, GRPC_COMPRESS_DEFLATE, "deflate");
}
