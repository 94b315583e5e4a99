// calls.cc - what surrounds tensors: the protocol's other calls, deadlines, metadata, errors, many at once.
#include <cstring>
#include <set>

#include "client.hh"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace {

const char kCallId[] = "0123abcd-0123-4123-8123-0123456789ab";

ModelInferRequest scripted(const std::string &run_time) {
    ModelInferRequest request = request_of("scripted", "FP32", 2);
    request.add_raw_input_contents(std::string(8, '\0'));
    (*request.mutable_parameters())["fake_run"].set_string_param(run_time);
    return request;
}

void expect_served(Run *run, const std::string &when) {
    grpc::ClientContext context;
    ModelInferResponse reply;
    deadline_in(&context, 20000);
    expect_ok(run->stub->ModelInfer(&context, scripted("1ms"), &reply), when);
}

std::string trailer(const grpc::ClientContext &context, const char *name) {
    const auto &all = context.GetServerTrailingMetadata();
    auto found = all.find(name);
    expect(found != all.end(), std::string("there is no trailer ") + name);
    return text_of(found->second);
}

// The elements of the only output.
std::set<std::string> told_by(const ModelInferResponse &reply) {
    std::set<std::string> told;
    const std::string &bytes = reply.raw_output_contents(0);
    for (size_t at = 0; at + 4 <= bytes.size();) {
        uint32_t length;
        std::memcpy(&length, &bytes[at], sizeof length);
        told.insert(bytes.substr(at + 4, length));
        at += 4 + length;
    }
    return told;
}

// One call of the completion queue.
struct Pending {
    grpc::ClientContext context;
    ModelInferResponse reply;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<ModelInferResponse>> reader;
};

void start(Run *run, Pending *call, int number, grpc::CompletionQueue *queue) {
    ModelInferRequest request = request_of("echo_int32", "INT32", 1);
    request.set_id(std::to_string(number));
    request.add_raw_input_contents(reinterpret_cast<char *>(&number), sizeof number);
    deadline_in(&call->context, 60000);
    call->reader = run->stub->AsyncModelInfer(&call->context, request, queue);
    call->reader->Finish(&call->reply, &call->status, call);
}

}  // namespace

void six_calls(Run *run) {
    inference::ServerLiveResponse live;
    inference::ServerReadyResponse ready;
    inference::ModelReadyRequest ask_ready;
    inference::ModelReadyResponse model_ready;
    inference::ServerMetadataResponse server;
    inference::ModelMetadataRequest ask_model;
    inference::ModelMetadataResponse model;
    grpc::ClientContext c[5];
    expect_ok(run->stub->ServerLive(&c[0], {}, &live), "ServerLive");
    expect(live.live(), "the server is not live");
    expect_ok(run->stub->ServerReady(&c[1], {}, &ready), "ServerReady");
    expect(ready.ready(), "the server is not ready");
    ask_ready.set_name("pair");
    expect_ok(run->stub->ModelReady(&c[2], ask_ready, &model_ready), "ModelReady");
    expect(model_ready.ready(), "the model is not ready");
    expect_ok(run->stub->ServerMetadata(&c[3], {}, &server), "ServerMetadata");
    expect_equal(server.name(), "sluice", "the server's name");
    ask_model.set_name("pair");
    expect_ok(run->stub->ModelMetadata(&c[4], ask_model, &model), "ModelMetadata");
    expect_equal(model.inputs_size(), 2, "inputs");
    expect_equal(model.outputs(1).name(), "B_OUT", "the second output");
    expect_served(run, "ModelInfer");
}

void deadline(Run *run) {
    grpc::ClientContext context;
    ModelInferResponse reply;
    deadline_in(&context, 300);
    grpc::Status status = run->stub->ModelInfer(&context, scripted("20s"), &reply);
    expect_equal(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED, "status");
    expect_served(run, "after the deadline");
}

void metadata(Run *run) {
    grpc::ClientContext context;
    ModelInferResponse reply;
    std::string all_bytes;
    for (int b = 0; b < 256; b++)
        all_bytes += static_cast<char>(b);
    context.AddMetadata("sluice-call-id", kCallId);
    context.AddMetadata("trace-bin", all_bytes);
    context.AddMetadata("x-unknown", "passed over");
    expect_ok(run->stub->ModelInfer(&context, scripted("20ms"), &reply), "ModelInfer");
    expect_equal(trailer(context, "sluice-call-id"), kCallId, "sluice-call-id");
    expect(std::stod(trailer(context, "sluice-exec-ms")) >= 20, "sluice-exec-ms is too small");
    expect(std::stod(trailer(context, "sluice-queue-ms")) >= 0, "sluice-queue-ms");
    expect(!trailer(context, "sluice-node").empty(), "sluice-node is empty");
}

void rich_error(Run *run) {
    grpc::ClientContext context;
    ModelInferResponse reply;
    ModelInferRequest request = request_of("echo_fp32", "FP32", 3);
    request.add_raw_input_contents(std::string(8, '\0'));
    grpc::Status status = run->stub->ModelInfer(&context, request, &reply);
    expect_equal(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT, "status");
    expect(status.error_message().find("12 bytes, 8") != std::string::npos, status.error_message());
    google::rpc::Status rich;
    expect(rich.ParseFromString(status.error_details()), "the details are no google.rpc.Status");
    expect_equal(rich.message(), status.error_message(), "the details' message");
    google::rpc::ErrorInfo info;
    expect(rich.details_size() > 0 && info.ParseFromString(rich.details(0).value()), "ErrorInfo");
    expect_equal(info.reason(), "BAD_INPUT", "reason");
    expect_equal(info.domain(), "sluice", "domain");
    expect_equal(trailer(context, "sluice-reason"), "BAD_INPUT", "sluice-reason");
}

void many_at_once(Run *run) {
    int count = std::stoi(run->args.at(0));
    std::vector<Pending> calls(static_cast<size_t>(count));
    grpc::CompletionQueue queue;
    for (int i = 0; i < count; i++)
        start(run, &calls[static_cast<size_t>(i)], i, &queue);
    for (int i = 0; i < count; i++) {
        void *tag;
        bool ok;
        expect(queue.Next(&tag, &ok) && ok, "the completion queue ended");
        Pending *call = static_cast<Pending *>(tag);
        int number = static_cast<int>(call - calls.data());
        expect_ok(call->status, "call " + std::to_string(number));
        expect_equal(call->reply.id(), std::to_string(number), "id");
        expect(call->reply.raw_output_contents(0) ==
                   std::string(reinterpret_cast<char *>(&number), sizeof number),
               "call " + std::to_string(number) + " got another's answer");
    }
}

void cancelled(Run *run) {
    grpc::CompletionQueue queue;
    Pending call;
    call.reader = run->stub->AsyncModelInfer(&call.context, scripted("20s"), &queue);
    call.reader->Finish(&call.reply, &call.status, &call);
    void *tag;
    bool ok;
    auto soon = std::chrono::system_clock::now() + std::chrono::milliseconds(200);
    expect(queue.AsyncNext(&tag, &ok, soon) == grpc::CompletionQueue::TIMEOUT, "it ended by itself");
    call.context.TryCancel();
    expect(queue.Next(&tag, &ok), "the completion queue ended");
    expect_equal(call.status.error_code(), grpc::StatusCode::CANCELLED, "status");
    expect_served(run, "after the cancel");
}

void parameters(Run *run) {
    ModelInferRequest request = request_of("told", "FP32", 1);
    request.add_raw_input_contents(std::string(4, '\0'));
    auto &all = *request.mutable_parameters();
    all["a_bool"].set_bool_param(true);
    all["an_int"].set_int64_param(INT64_MIN);
    all["a_text"].set_string_param("gr\xc3\xb6\xc3\x9f" "er");
    all["a_double"].set_double_param(0.1);
    all["a_uint"].set_uint64_param(UINT64_MAX);
    all["sluice_duration"].set_string_param("2s");  // the gateway's own
    all["nothing"];                                 // without a value
    request.add_outputs()->set_name("PARAMS");
    grpc::ClientContext context;
    ModelInferResponse reply;
    expect_ok(run->stub->ModelInfer(&context, request, &reply), "ModelInfer");
    expect_equal(reply.outputs(0).name(), "PARAMS", "output");
    const std::set<std::string> wanted = {
        "a_bool=bool:true", "an_int=int:-9223372036854775808", "a_text=string:gr\xc3\xb6\xc3\x9f" "er",
        "a_double=double:0.10000000000000001", "a_uint=uint:18446744073709551615"};
    expect(told_by(reply) == wanted, "the model was told: " + reply.raw_output_contents(0));
}
