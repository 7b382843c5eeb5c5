"""Kafka, behind a few small classes: the only package that imports aiokafka. Every wait in it is bounded."""

from proforma.kafka.cluster import Cluster, check, look
from proforma.kafka.consumer import Consumer, ConsumerFactory, OnAssigned
from proforma.kafka.errors import Away, NotAllowed, Refused, Unreachable
from proforma.kafka.logs import logs_of
from proforma.kafka.producer import Producer, ProducerFactory
from proforma.kafka.topics import create_topics, grow_topics

__all__ = [
    "Away", "Cluster", "Consumer", "ConsumerFactory", "NotAllowed", "OnAssigned", "Producer", "ProducerFactory",
    "Refused", "Unreachable", "check", "create_topics", "grow_topics", "logs_of", "look",
]  # fmt: skip
