"""The words of the tiny world: its splits share nothing."""

from __future__ import annotations

from collections import Counter

from wfine_utils.tiny_world import vocabulary


def test_splits_share_no_topic_and_topics_share_no_thing():
    topics = [t for split in vocabulary.TOPICS.values() for t in split]
    assert sorted(topics) == sorted(set(vocabulary.THINGS))
    things = Counter(thing for part in vocabulary.THINGS.values() for thing in part)
    assert max(things.values()) == 1 and not set(things) & set(topics)


def test_things_do_not_occur_by_accident():
    """Otherwise "mention the well" would be met by "is well known"."""
    phrases = [*vocabulary.ACTS, *vocabulary.WHERE, *vocabulary.IMAGES, *vocabulary.ADJECTIVES]
    spoken = {word for phrase in phrases for word in phrase.split()}
    assert not spoken & {thing for part in vocabulary.THINGS.values() for thing in part}
