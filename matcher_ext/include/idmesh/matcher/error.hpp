// What a caller can cause: a reason for programs, a field, a sentence for people.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace idmesh::matcher {

class MatcherError : public std::runtime_error {
  public:
    MatcherError(std::string reason, std::string field, const std::string& message)
        : std::runtime_error(message), reason_(std::move(reason)), field_(std::move(field)) {}

    const std::string& reason() const noexcept { return reason_; }  // UPPER_SNAKE
    const std::string& field() const noexcept { return field_; }    // the argument at fault

  private:
    std::string reason_;
    std::string field_;
};

}  // namespace idmesh::matcher
