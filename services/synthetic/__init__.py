"""People who do not exist: names, addresses, fingers, irises and faces, from a seed.

Nothing here is of a real person. The same seed gives the same person and the same capture.

    person = make_person(7)
    enrolment = capture(person, seed=1)      # ten fingers, two irises, a face
    later = capture(person, seed=2, fingers=(2,), irises=(), face=False)

Templates carry `modality`, `position`, `data` and `quality`, which the registration client and
the tests take as they are.
"""

from services.synthetic.captures import Template, capture
from services.synthetic.people import Person, make_person

__all__ = ["Person", "Template", "capture", "make_person"]
