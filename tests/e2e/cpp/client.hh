// client.hh - what the scenarios of the C++ client share: the stub, checks that name what differed.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "inference/inference.grpc.pb.h"

using inference::GRPCInferenceService;
using inference::ModelInferRequest;
using inference::ModelInferResponse;

// One run of a scenario. args: what follows its name on the command line.
struct Run {
    std::shared_ptr<grpc::Channel> channel;
    std::unique_ptr<GRPCInferenceService::Stub> stub;
    std::vector<std::string> args;
};

struct Failure : std::runtime_error {
    using std::runtime_error::runtime_error;
};

inline void expect(bool holds, const std::string &what) {
    if (!holds)
        throw Failure(what);
}

template <typename A, typename B>
void expect_equal(const A &got, const B &wanted, const std::string &what) {
    if (got == wanted)
        return;
    std::ostringstream text;
    text << what << ": " << got << " instead of " << wanted;
    throw Failure(text.str());
}

inline void expect_ok(const grpc::Status &s, const std::string &what) {
    expect(s.ok(), what + ": status " + std::to_string(s.error_code()) + ", " + s.error_message());
}

inline void deadline_in(grpc::ClientContext *context, int ms) {
    context->set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(ms));
}

inline std::string text_of(grpc::string_ref s) {
    return std::string(s.data(), s.size());
}

// A request of one input, IN, of any length; the raw bytes or typed contents are the caller's to set.
inline ModelInferRequest request_of(const std::string &model, const std::string &datatype,
                                    int64_t elements) {
    ModelInferRequest request;
    request.set_model_name(model);
    auto *in = request.add_inputs();
    in->set_name("IN");
    in->set_datatype(datatype);
    in->add_shape(elements);
    return request;
}

void datatypes(Run *run);    // every datatype, raw and typed, at its edges
void empty_tensors(Run *run);  // 0 elements of each
void large(Run *run);        // MIB: one tensor of so many MiB both ways, bit-equal
void compressed(Run *run);   // gzip and deflate both ways
void six_calls(Run *run);    // the six calls of the protocol
void deadline(Run *run);     // ends at the caller's deadline, and the next call is served
void metadata(Run *run);     // a call id, binary metadata, trailers
void rich_error(Run *run);   // google.rpc.Status behind a refusal
void many_at_once(Run *run); // COUNT calls on one completion queue
void cancelled(Run *run);    // cancels a running call
void parameters(Run *run);   // all five kinds of a parameter, and a requested output
