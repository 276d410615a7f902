"use strict";
// Shows the OpenAPI document. Texts are set as text, so that none of them is read as HTML.

function element(name, text, ...children) {
  const node = document.createElement(name);
  if (text) node.textContent = text;
  node.append(...children);
  return node;
}

function resolved(api, node) {
  while (node && node.$ref) {
    node = node.$ref.slice(2).split("/").reduce((at, part) => at[part.replaceAll("~1", "/")], api);
  }
  return node;
}

function table(title, rows) {
  if (rows.length === 0) return [];
  const lines = rows.map((cells) =>
    element("tr", "", ...cells.map((cell, at) => element("td", "", element(at ? "span" : "code", cell)))),
  );
  return [element("h4", title), element("table", "", ...lines)];
}

function examples(api, title, content) {
  return Object.entries(content ?? {}).flatMap(([mediaType, body]) =>
    Object.values(body.examples ?? {}).flatMap((example) => {
      const shown = resolved(api, example);
      const text = JSON.stringify(shown.value, null, 2);
      return [element("h4", `${title}: ${shown.summary ?? mediaType}`), element("pre", text)];
    }),
  );
}

function operation(api, method, path, asked) {
  const parameters = (asked.parameters ?? []).map((parameter) => resolved(api, parameter));
  const responses = Object.entries(asked.responses);
  return element(
    "details",
    "",
    element("summary", "", element("code", `${method.toUpperCase()} ${path} `), asked.summary ?? ""),
    element("p", asked.description),
    ...table("Parameters", parameters.map((one) => [one.name, one.in, one.description ?? ""])),
    ...examples(api, "Request", asked.requestBody?.content),
    ...table("Answers", responses.map(([status, one]) => [status, resolved(api, one).description])),
    ...responses.flatMap(([status, one]) => examples(api, status, resolved(api, one).content)),
  );
}

async function show() {
  const main = document.getElementById("operations");
  const answer = await fetch("/openapi.json");
  if (!answer.ok) {
    main.append(element("p", `The document cannot be read: ${answer.status}.`));
    return;
  }
  const api = await answer.json();
  document.getElementById("about").append(element("p", api.info.description));
  for (const tag of api.tags) {
    const shown = Object.entries(api.paths).flatMap(([path, item]) =>
      Object.entries(item)
        .filter(([, asked]) => asked.tags?.includes(tag.name))
        .map(([method, asked]) => operation(api, method, path, asked)),
    );
    main.append(element("h2", tag.name), element("p", tag.description), ...shown);
  }
}

show();
