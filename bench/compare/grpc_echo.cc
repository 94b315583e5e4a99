// grpc_echo.cc - the peer of bench/run: ModelInfer of the Open Inference Protocol as a bare gRPC C++ echo.
//
// Answers INPUT0's raw contents as OUTPUT0, byte for byte what Sluice's `identity` model answers, and
// does nothing else: no account, no queue, no other process. Asynchronous server, one completion queue
// and one thread for each of --threads; slots that wait for calls are made once and used again, with
// their messages, so that a call costs what gRPC and protobuf cost.
//
// With --certificate and --key (PEM files) it speaks TLS. Prints "ready PORT" when it serves, "calls N"
// (answered with OK so far) at SIGUSR1 and before it ends at SIGTERM.
#include <grpcpp/grpcpp.h>

#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "inference.grpc.pb.h"

namespace {

using inference::GRPCInferenceService;
using inference::ModelInferRequest;
using inference::ModelInferResponse;

constexpr int kMaxMessageBytes = 64 << 20;
constexpr size_t kKeptBytes = 64 << 10;  // a slot does not keep larger buffers between calls

struct Options {
    std::string address = "127.0.0.1:0";
    int threads = 1;
    int slots = 1024;  // calls that one queue serves at a time
    std::string version = "1";
    std::string certificate, key;  // PEM files; without them no TLS
};

std::string read_file(const std::string &path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::shared_ptr<grpc::ServerCredentials> credentials(const Options &options) {
    if (options.certificate.empty()) return grpc::InsecureServerCredentials();
    grpc::SslServerCredentialsOptions tls;
    tls.pem_key_cert_pairs.push_back({read_file(options.key), read_file(options.certificate)});
    return grpc::SslServerCredentials(tls);
}

// What one queue's thread answered; only that thread writes, the signal's reader reads.
struct alignas(64) Counter {
    std::atomic<unsigned long> calls{0};
};

// One call at a time: wait for it, answer it, wait for the next.
class Slot {
  public:
    Slot(GRPCInferenceService::AsyncService *service, grpc::ServerCompletionQueue *queue,
         const std::string *version, Counter *counter)
        : service_(service), queue_(queue), version_(version), counter_(counter) {
        await_call();
    }

    // The queue reports: a call has come, or its answer is out.
    void proceed(bool ok) {
        if (state_ == State::kAwaiting) {
            if (ok) answer();
        } else {
            if (ok) count();
            await_call();
        }
    }

  private:
    enum class State { kAwaiting, kAnswering };

    void await_call() {
        drop_large_buffers();
        call_.emplace();
        state_ = State::kAwaiting;
        service_->RequestModelInfer(&call_->context, &request_, &call_->writer, queue_, queue_, this);
    }

    void answer() {
        state_ = State::kAnswering;
        if (request_.inputs_size() != 1 || request_.raw_input_contents_size() != 1) {
            refused_ = true;
            call_->writer.FinishWithError(
                {grpc::StatusCode::INVALID_ARGUMENT, "one input with raw contents is echoed"}, this);
            return;
        }
        fill_response();
        refused_ = false;
        call_->writer.Finish(response_, grpc::Status::OK, this);
    }

    // Swaps instead of copying: request and response live as long as the slot.
    void fill_response() {
        auto *input = request_.mutable_inputs(0);
        response_.Clear();
        response_.mutable_model_name()->swap(*request_.mutable_model_name());
        response_.set_model_version(*version_);
        response_.mutable_id()->swap(*request_.mutable_id());
        auto *output = response_.add_outputs();
        output->set_name("OUTPUT0");
        output->mutable_datatype()->swap(*input->mutable_datatype());
        output->mutable_shape()->Swap(input->mutable_shape());
        response_.add_raw_output_contents()->swap(*request_.mutable_raw_input_contents(0));
    }

    void count() {
        if (!refused_)
            counter_->calls.store(counter_->calls.load(std::memory_order_relaxed) + 1,
                                  std::memory_order_relaxed);
    }

    void drop_large_buffers() {
        if (response_.raw_output_contents_size() == 1 &&
            response_.raw_output_contents(0).capacity() > kKeptBytes) {
            ModelInferResponse().Swap(&response_);
            ModelInferRequest().Swap(&request_);
        }
    }

    struct Call {
        grpc::ServerContext context;
        grpc::ServerAsyncResponseWriter<ModelInferResponse> writer{&context};
    };

    GRPCInferenceService::AsyncService *service_;
    grpc::ServerCompletionQueue *queue_;
    const std::string *version_;
    Counter *counter_;
    State state_ = State::kAwaiting;
    bool refused_ = false;
    std::optional<Call> call_;
    ModelInferRequest request_;
    ModelInferResponse response_;
};

void serve(grpc::ServerCompletionQueue *queue) {
    void *tag;
    bool ok;
    while (queue->Next(&tag, &ok)) static_cast<Slot *>(tag)->proceed(ok);
}

class Echo {
  public:
    explicit Echo(const Options &options) : options_(options), counters_(options.threads) {}

    bool start() {
        grpc::ServerBuilder builder;
        builder.AddListeningPort(options_.address, credentials(options_), &port_);
        builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
        builder.SetMaxSendMessageSize(kMaxMessageBytes);
        builder.RegisterService(&service_);
        for (int i = 0; i < options_.threads; i++) queues_.push_back(builder.AddCompletionQueue());
        server_ = builder.BuildAndStart();
        if (server_ == nullptr || port_ == 0) return false;
        for (int i = 0; i < options_.threads; i++) start_queue(i);
        return true;
    }

    int port() const { return port_; }

    unsigned long calls() const {
        unsigned long sum = 0;
        for (const auto &counter : counters_) sum += counter.calls.load(std::memory_order_relaxed);
        return sum;
    }

  private:
    void start_queue(int i) {
        for (int k = 0; k < options_.slots; k++)
            slots_.push_back(std::make_unique<Slot>(&service_, queues_[i].get(), &options_.version,
                                                    &counters_[i]));
        threads_.emplace_back(serve, queues_[i].get());
    }

    Options options_;
    int port_ = 0;
    GRPCInferenceService::AsyncService service_;
    std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues_;
    std::unique_ptr<grpc::Server> server_;
    std::vector<Counter> counters_;
    std::vector<std::unique_ptr<Slot>> slots_;
    std::vector<std::thread> threads_;
};

// Prints a line for each SIGUSR1 until SIGTERM or SIGINT.
void obey_signals(const sigset_t &signals, const Echo &echo) {
    int signal = 0;
    do {
        sigwait(&signals, &signal);
        std::printf("calls %lu\n", echo.calls());
        std::fflush(stdout);
    } while (signal == SIGUSR1);
}

[[noreturn]] void usage() {
    std::fputs("Usage: grpc_echo [--address HOST:PORT] [--threads N] [--slots N] [--version TEXT]\n"
               "                 [--certificate FILE --key FILE]\n",
               stderr);
    std::exit(2);
}

int positive(const char *text) {
    const int n = std::atoi(text);
    if (n < 1) usage();
    return n;
}

Options parse(int argc, char **argv) {
    Options o;
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc) usage();
        const std::string name = argv[i];
        if (name == "--address") o.address = argv[i + 1];
        else if (name == "--threads") o.threads = positive(argv[i + 1]);
        else if (name == "--slots") o.slots = positive(argv[i + 1]);
        else if (name == "--version") o.version = argv[i + 1];
        else if (name == "--certificate") o.certificate = argv[i + 1];
        else if (name == "--key") o.key = argv[i + 1];
        else usage();
    }
    if (o.certificate.empty() != o.key.empty()) usage();
    return o;
}

}  // namespace

int main(int argc, char **argv) {
    const Options options = parse(argc, argv);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR1);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // threads started later inherit it

    Echo echo(options);
    if (!echo.start()) {
        std::fprintf(stderr, "grpc_echo: cannot listen at %s\n", options.address.c_str());
        return 1;
    }
    std::printf("ready %d\n", echo.port());
    std::fflush(stdout);
    obey_signals(signals, echo);
    std::fflush(stdout);
    std::_Exit(0);  // calls in flight are of no interest to anybody
}
