"""The forty people of the sample, all invented: who they are, what they do and for which projects they work."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Person:
    """`code` is the resource of the entries; `projects` are those that the person books on, the main one first."""

    name: str
    role: str
    projects: tuple[str, ...]

    @property
    def code(self) -> str:
        return self.name.lower().replace(" ", ".")


_TEAMS: dict[tuple[str, ...], dict[str, str]] = {
    ("WAREHOUSE-PORTAL",): {
        "Amara Okafor": "architect",
        "Jonas Brandt": "senior-developer",
        "Lena Vogt": "developer",
        "Tomasz Wilk": "developer",
        "Ines Carvalho": "designer",
        "Piet Hagen": "tester",
        "Yara Haddad": "consultant",
        "Emil Sorensen": "data-steward",
    },
    ("FLEET-TELEMATICS",): {
        "Marta Kowalczyk": "architect",
        "Felix Anders": "senior-developer",
        "Noor Rahman": "developer",
        "Sven Lindqvist": "developer",
        "Clara Meinhardt": "senior-consultant",
        "Bela Farkas": "tester",
        "Ida Nygaard": "consultant",
    },
    ("PATIENT-SCHEDULING",): {
        "Grace Whitfield": "senior-consultant",
        "Daniel Osei": "developer",
        "Rosa Delgado": "developer",
        "Henry Calloway": "tester",
        "Mina Castellano": "designer",
        "Oscar Lundgren": "senior-developer",
    },
    ("CLINIC-DATA", "CLINIC-REPORTS"): {
        "Priya Nair": "architect",
        "Caleb Winters": "developer",
        "Sofia Marchetti": "developer",
        "Leon Abara": "senior-developer",
        "Hannah Pryce": "consultant",
        "Theo Vance": "data-steward",
        "Nadia Petrov": "tester",
    },
    ("LINE-VISION",): {
        "Kenji Morita": "architect",
        "Aoi Takeda": "senior-developer",
        "Ren Ishikawa": "developer",
        "Mio Hasegawa": "developer",
        "Lukas Steiner": "consultant",
        "Hana Fujii": "tester",
    },
    ("PARTS-SHOP", "LINE-VISION"): {
        "Sota Kimura": "senior-developer",
        "Yui Nakano": "designer",
        "Erik Halvorsen": "developer",
        "Mei Tanabe": "developer",
        "Paul Okonkwo": "consultant",
        "Rin Shimizu": "tester",
    },
}

PEOPLE = tuple(Person(name, role, projects) for projects, team in _TEAMS.items() for name, role in team.items())
