"""XMP packets are changed by what they mean, and nowhere else."""

import pytest

from camerapipe.ingest.xmp import (
    EXIF,
    NOTE,
    TIFF,
    XMP,
    BrokenXmpError,
    Name,
    edited,
    properties,
)

RDF = b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
ORIENTATION = {Name(TIFF, "Orientation"): "1"}


def packet(inner):
    head = b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
    meta = b'<x:xmpmeta xmlns:x="adobe:ns:meta/">' + RDF + inner + b"</rdf:RDF></x:xmpmeta>"
    return head + meta + b"\n" + b" " * 200 + b'<?xpacket end="w"?>'


SPELLINGS = {
    "attribute": b'<rdf:Description xmlns:tiff="%s" tiff:Orientation="6" tiff:Make="M"/>',
    "other prefix": b"<rdf:Description xmlns:t=\"%s\"\n  t:Orientation = '6' t:Make='M' />",
    "element": b'<rdf:Description xmlns:q="%s"><q:Orientation>6</q:Orientation></rdf:Description>',
    "default namespace": (
        b'<rdf:Description><Orientation xmlns="%s">6</Orientation></rdf:Description>'
    ),
    "among quotes": (
        b"<rdf:Description xmlns:t='%s' xmlns:o='urn:o' o:a='>/>\"' t:Orientation=\"6\"/>"
    ),
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_a_value_changes_under_any_spelling_and_nothing_else(spelling):
    before = packet(spelling % TIFF.encode())
    after = edited(before, values=ORIENTATION)
    assert after == before.replace(b"'6'", b'"1"').replace(b'"6"', b'"1"').replace(b">6<", b">1<")
    assert edited(after, values=ORIENTATION) == after


@pytest.mark.parametrize("inner", [b"", b"<rdf:Description/>"])
def test_nothing_is_added(inner):
    assert edited(packet(inner), values=ORIENTATION) == packet(inner)


def test_values_of_other_documents_stay():
    nested = packet(
        b'<rdf:Description xmlns:m="urn:m" xmlns:t="%s"><m:Pantry><rdf:Bag><rdf:li>'
        b'<rdf:Description t:Orientation="6"/></rdf:li></rdf:Bag></m:Pantry></rdf:Description>'
        % TIFF.encode()
    )
    assert edited(nested, values=ORIENTATION) == nested


def test_properties_are_removed_with_all_that_is_in_them():
    before = packet(
        b'<rdf:Description xmlns:n="%s" xmlns:x="%s" n:HasExtendedXMP="AB" x:Rating="4">'
        b"<n:HasExtendedXMP>AB</n:HasExtendedXMP><x:Label>red</x:Label>"
        b'<n:Box rdf:parseType="Resource"><x:Rating>2</x:Rating></n:Box><n:Empty/>'
        b"</rdf:Description>" % (NOTE.encode(), XMP.encode())
    )
    after = edited(before, removed=lambda name: name.space == NOTE)
    assert properties(after) == {Name(XMP, "Rating"), Name(XMP, "Label")}
    assert b'x:Rating="4"><x:Label>red</x:Label></rdf:Description>' in after
    assert properties(before) - properties(after) == {
        Name(NOTE, name) for name in ("HasExtendedXMP", "Box", "Empty")
    }


def test_values_are_escaped():
    name = Name(EXIF, "UserComment")
    before = packet(b'<rdf:Description xmlns:e="%s" e:UserComment="x"/>' % EXIF.encode())
    after = edited(before, values={name: 'a<b & "c"'})
    assert edited(after, removed=lambda each: each == name) != after
    assert b'e:UserComment="a&lt;b &amp; &quot;c&quot;"' in after


BAD = {
    "no XML": b"\xff\xfe not text",
    "cut off": packet(b"<rdf:Description/>")[:150],
    "unknown prefix": packet(b'<rdf:Description tiff:Orientation="6"/>'),
    "entities": b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>',
    "nothing": b"",
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_broken_packets_are_refused(data):
    with pytest.raises(BrokenXmpError):
        edited(data)
