"""The web console: a process of its own that asks the platform what any program may ask.

To add a page: a module in `pages/` with `async def build(page: Page) -> None`, a line in `pages/registry.py: PAGES`,
and its texts under a table of its own in each of `texts/en.toml`, `es.toml` and `pt.toml`. Imitate `pages/models.py`.

- `build` runs inside the layout's `<main>`, below the heading `<name>.title`. It makes elements with
  `parts/elements.py` (`heading`, `text`, `button`, `link`, `tag`, …), never with words of its own:
  `page.t("models.count", n=3)`.
- It asks with `page.api`: `await page.api.call("bedrock", "list_foundation_models")` is boto3 in a thread,
  `await page.api.get("/v1/models")` plain HTTP, `page.api.stream(path, body)` server-sent events, all with the
  visitor's key. They raise `ApiFailure`, whose `message` is the server's.
- What takes time goes into a region: `region(page, load, show)` (`parts/states.py`) draws a skeleton, awaits `load()`,
  calls `show(found)`, and shows a failure with a button to try again. `Region.refresh()` asks once more; `every_s=`
  repeats it. `failed` and `empty` there are the only looks of failure and emptiness.
- `page.query` and `page.values` are what the address says after `?` and in the `{}` of the path; `page.go(path,
  **query)` opens another.
- Text of models, documents, data and errors is hostile. `text` and `tag` never make HTML of it; Markdown goes through
  `parts/markdown.py`. Never hand it to `ui.html`, `.props("…")`, a prop whose name begins with `:`, or JavaScript.
- Styles are classes of `static/console.css`; colours are its variables, so that both themes follow. No inline styles.
"""
