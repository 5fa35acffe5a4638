/**
 * The seam between the web server and the pages for people, which do not know each other: what the
 * server lends to the pages for one request, and what it gets back. Owns these shapes only.
 *
 * Invariant: pages change something only through {@link PageCall.api}, so that every change passes
 * the checks of the API.
 */

/** What a request may ask a caller's rights for. */
export type PageScope = "read" | "submit" | "admin" | "command";

/** Who looks at a page. */
export interface PageCaller {
  readonly name: string;
  /** Whether they have signed in, and so can sign out. */
  readonly isSignedIn: boolean;
  may(scope: PageScope): boolean;
}

/** A call of the API, in the caller's name. */
export interface ApiCall {
  readonly method: "GET" | "POST" | "DELETE" | "PATCH" | "PUT";
  /** With its query. */
  readonly path: string;
  /** The body: a value that becomes JSON. */
  readonly json?: unknown;
  /** Instead: a request whose body and content type are passed on as they are. */
  readonly request?: Request;
}

/** One request for a page. */
export interface PageCall {
  readonly request: Request;
  /** As it came, not decoded. */
  readonly path: string;
  /** What follows the `?`; empty when there is none. */
  readonly query: string;
  /** Null: nobody who may look; they can sign in. */
  readonly caller: PageCaller | null;
  /** The body; throws as bodies of the API do. */
  body(limitBytes: number): Promise<Uint8Array>;
  /** The answer of the API, which may be a problem; rejects only when something unexpected failed. */
  api(call: ApiCall): Promise<Response>;
  /** Starts a session; the cookie that it is known by, or null when no such token counts here. */
  signIn(token: string): string | null;
  /** Ends the session, if there is one; the cookie that makes the browser forget it. */
  signOut(): string;
}

/** Answers what is asked at `/` and under `/ui`. */
export interface Pages {
  answer(call: PageCall): Promise<Response>;
}
