// The parts of the module, a file each; module.cpp calls them.
#pragma once

#include <pybind11/pybind11.h>

void bind_person_score(pybind11::module_& m);
void bind_columns(pybind11::module_& m);
void bind_roofs(pybind11::module_& m);
void bind_synthetic(pybind11::module_& m);
void bind_people(pybind11::module_& m);
