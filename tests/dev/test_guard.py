"""What sounds like production, and what doesn't."""

import pytest

from kdns.dev.guard import sounding_like_production


@pytest.mark.parametrize(
    "name",
    [
        "prod",
        "PROD-eu",
        "eu_prod1",
        "shop-production",
        "gke_acme_europe-west1_prod",
        "prd",
        "live",
        "acmeprod",
        "k8s.prod.acme.example",
    ],
)
def test_these_do(name: str) -> None:
    assert sounding_like_production(["kind", name]) == name


@pytest.mark.parametrize(
    "name", ["", "kind-shop", "nonprod", "non-prod", "not_prod", "product-team", "olive", "delivery", "dev"]
)
def test_these_do_not(name: str) -> None:
    assert sounding_like_production([name]) is None
