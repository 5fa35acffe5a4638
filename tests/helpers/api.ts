/**
 * A client of a running service's API. Each call opens a connection of its own, so that none is
 * left from a server that has been killed. Knows the contract's paths, not what they shall answer.
 */
import { type Answer, readAnswer } from "./http.ts";

/** How long a call may take. */
const CALL_LIMIT_MS = 60_000;

export interface Api {
  call(path: string, init?: RequestInit): Promise<Answer>;
  get(path: string): Promise<Answer>;
  post(path: string, value?: unknown): Promise<Answer>;
  /** Uploads a text; further fields go with it. */
  upload(text: string, fields?: Readonly<Record<string, string>>): Promise<Answer>;
}

/** The API of the service that listens there; `url` is asked for at every call. */
export function apiOf(service: { readonly url: string }): Api {
  const call = async (path: string, init: RequestInit = {}) => {
    const signal = AbortSignal.timeout(CALL_LIMIT_MS);
    const headers = new Headers(init.headers);
    headers.set("connection", "close");
    return await readAnswer(await fetch(service.url + path, { signal, ...init, headers }));
  };
  return {
    call,
    get: (path) => call(path),
    post: (path, value) =>
      call(path, {
        method: "POST",
        ...(value === undefined ? {} : {
          body: JSON.stringify(value),
          headers: { "content-type": "application/json" },
        }),
      }),
    upload(text, fields = {}) {
      const form = new FormData();
      for (const [name, value] of Object.entries(fields)) form.append(name, value);
      form.append("file", new Blob([text]), "upload.txt");
      return call("/jobs", { method: "POST", body: form });
    },
  };
}
