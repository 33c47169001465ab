"""The frame of the pages in a real browser."""


def test_the_page_opens_by_its_link_and_the_token_leaves_the_address(start, new_page):
    server = start()
    page = new_page(server.link)
    assert page.url == f"{server.origin}/" and "camerapipe" in page.title()
