/** `GET /openapi.json`: the API described for programs. Made when it is asked for first. */
import type { Call } from "../context.ts";
import { JSON_HEADERS } from "../headers.ts";

let rendered: Promise<string> | undefined;

export async function getOpenApi({ services: { version } }: Call): Promise<Response> {
  return new Response(await (rendered ??= render(version)), { headers: JSON_HEADERS });
}

/** What it takes is not loaded before. */
async function render(version: string): Promise<string> {
  const [{ openApiDocument }, { ROUTES }] = await Promise.all([
    import("../openapi/document.ts"),
    import("../routes.ts"),
  ]);
  return JSON.stringify(openApiDocument(ROUTES, { version }));
}
