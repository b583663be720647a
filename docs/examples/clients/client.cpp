// Poses of a stream as server-sent events, with nothing but POSIX sockets:
//   g++ -std=c++17 -o client client.cpp && ./client 127.0.0.1 8791 STREAM [MESSAGES]
// The token is read from POSETRACK_TOKEN. For more than frame and ids, give `data` to a JSON library.

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <regex>
#include <string>

// A socket that is connected, or -1.
static int connect_to(const char* host, const char* port) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  if (getaddrinfo(host, port, &hints, &found) != 0) return -1;
  int made = -1;
  for (addrinfo* each = found; each != nullptr && made < 0; each = each->ai_next) {
    made = socket(each->ai_family, each->ai_socktype, each->ai_protocol);
    if (made >= 0 && connect(made, each->ai_addr, each->ai_addrlen) != 0) {
      close(made);
      made = -1;
    }
  }
  freeaddrinfo(found);
  return made;
}

static void show(const std::string& data) {
  static const std::regex frame_of("\"frame\":(\\d+)"), id_of("\"id\":(\\d+)");
  std::smatch frame;
  std::regex_search(data, frame, frame_of);
  std::string ids;
  int people = 0;
  for (std::sregex_iterator each(data.begin(), data.end(), id_of), end; each != end; ++each) {
    ids += " " + (*each)[1].str();
    ++people;
  }
  std::cout << "frame " << frame[1] << ": " << people << " people, ids" << ids << std::endl;
}

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "usage: client HOST PORT STREAM [MESSAGES]\n";
    return 2;
  }
  const int wanted = argc > 4 ? std::atoi(argv[4]) : 0;
  const int stream = connect_to(argv[1], argv[2]);
  if (stream < 0) {
    std::cerr << "cannot connect to " << argv[1] << ":" << argv[2] << "\n";
    return 1;
  }
  // HTTP/1.0: the answer then comes as it is, not in chunks.
  std::string request = "GET /v1/streams/" + std::string(argv[3]) + "/poses HTTP/1.0\r\nHost: " +
                        argv[1] + ":" + argv[2] + "\r\n";
  if (const char* token = std::getenv("POSETRACK_TOKEN"))
    request += "Authorization: Bearer " + std::string(token) + "\r\n";
  request += "\r\n";
  if (send(stream, request.data(), request.size(), 0) < 0) return 1;

  std::string waiting;
  char piece[65536];
  int count = 0;
  for (ssize_t got; (got = recv(stream, piece, sizeof piece, 0)) > 0;) {
    waiting.append(piece, static_cast<size_t>(got));
    for (size_t end; (end = waiting.find('\n')) != std::string::npos; waiting.erase(0, end + 1)) {
      const std::string line = waiting.substr(0, end);
      if (count == 0 && line.rfind("HTTP/", 0) == 0 && line.find(" 200") == std::string::npos) {
        std::cerr << line << "\n";
        return 1;
      }
      if (line.rfind("data: ", 0) != 0) continue;
      show(line.substr(6));
      if (++count == wanted) return 0;
    }
  }
  close(stream);
  return 0;
}
