// main.cc - a client of the Open Inference Protocol on gRPC C++, driven by test_cpp_client.py.
//
//   cpp_client ADDRESS SCENARIO [ARGS]       plain text
//   SLUICE_CA=ca.pem cpp_client ...          TLS
//
// Prints "ok SCENARIO" and exits 0, or one sentence on stderr and exits 1.
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>

#include "client.hh"

namespace {

const struct Scenario {
    const char *name;
    void (*run)(Run *);
} kScenarios[] = {
    {"datatypes", datatypes}, {"empty_tensors", empty_tensors}, {"large", large},
    {"compressed", compressed}, {"six_calls", six_calls}, {"deadline", deadline},
    {"metadata", metadata}, {"rich_error", rich_error}, {"many_at_once", many_at_once},
    {"cancelled", cancelled}, {"parameters", parameters},
};

std::shared_ptr<grpc::ChannelCredentials> credentials() {
    const char *path = std::getenv("SLUICE_CA");
    if (path == nullptr)
        return grpc::InsecureChannelCredentials();
    std::ifstream file(path);
    grpc::SslCredentialsOptions options;
    options.pem_root_certs.assign(std::istreambuf_iterator<char>(file), {});
    return grpc::SslCredentials(options);
}

Run open(const std::string &address, std::vector<std::string> args) {
    grpc::ChannelArguments options;
    options.SetMaxReceiveMessageSize(-1);
    options.SetMaxSendMessageSize(-1);
    auto channel = grpc::CreateCustomChannel(address, credentials(), options);
    return {channel, GRPCInferenceService::NewStub(channel), std::move(args)};
}

}  // namespace

int main(int argc, char **argv) {
    if (argc < 3) {
        std::cerr << "usage: cpp_client ADDRESS SCENARIO [ARGS]\n";
        return 2;
    }
    for (const Scenario &scenario : kScenarios) {
        if (argv[2] != std::string(scenario.name))
            continue;
        Run run = open(argv[1], std::vector<std::string>(argv + 3, argv + argc));
        try {
            scenario.run(&run);
        } catch (const Failure &failure) {
            std::cerr << scenario.name << ": " << failure.what() << "\n";
            return 1;
        }
        std::cout << "ok " << scenario.name << "\n";
        return 0;
    }
    std::cerr << "no scenario '" << argv[2] << "'\n";
    return 2;
}
