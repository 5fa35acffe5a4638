/**
 * Finds the route of a request by the segments of its path. Owns matching only; knows no handler.
 *
 * Invariant: a segment that is spelled out wins over a `{name}`, and a path that exists is told
 * apart from a method that it does not have.
 */
import type { Route } from "./context.ts";

export type Match =
  | {
    readonly type: "route";
    readonly route: Route;
    readonly params: Readonly<Record<string, string>>;
  }
  /** The path exists, with these methods only. */
  | { readonly type: "wrong-method"; readonly allowed: readonly string[] }
  | { readonly type: "no-path" };

/** What can follow after some segments. */
interface Node {
  readonly children: Map<string, Node>;
  parameter: { readonly name: string; readonly node: Node } | null;
  readonly routes: Map<string, Route>;
}

const NO_PARAMS: Readonly<Record<string, string>> = {};
const NO_PATH: Match = { type: "no-path" };

export class Router {
  readonly #root = emptyNode();

  constructor(routes: readonly Route[]) {
    for (const route of routes) this.#add(route);
  }

  /** The route for this method and path. `HEAD` is answered by what answers `GET`. */
  match(method: string, path: string): Match {
    const segments = splitPath(path);
    if (segments === null) return NO_PATH;
    const found: Found[] = [];
    collect(this.#root, segments, 0, NO_PARAMS, found);
    if (found.length === 0) return NO_PATH;
    const wanted = method === "HEAD" ? "GET" : method;
    for (const { node, params } of found) {
      const route = node.routes.get(wanted);
      if (route !== undefined) return { type: "route", route, params };
    }
    const methods = new Set(found.flatMap(({ node }) => [...node.routes.keys()]));
    if (methods.has("GET")) methods.add("HEAD");
    return { type: "wrong-method", allowed: [...methods].sort() };
  }

  #add(route: Route): void {
    let node = this.#root;
    for (const segment of route.path.split("/").slice(1)) {
      const name = /^\{(\w+)\}$/.exec(segment)?.[1];
      if (name !== undefined) {
        node.parameter ??= { name, node: emptyNode() };
        node = node.parameter.node;
        continue;
      }
      let child = node.children.get(segment);
      if (child === undefined) node.children.set(segment, child = emptyNode());
      node = child;
    }
    node.routes.set(route.method, route);
  }
}

interface Found {
  readonly node: Node;
  readonly params: Readonly<Record<string, string>>;
}

/** Every node that the segments lead to, those spelled out first. */
function collect(
  node: Node,
  segments: readonly string[],
  depth: number,
  params: Readonly<Record<string, string>>,
  found: Found[],
): void {
  const segment = segments[depth];
  if (segment === undefined) {
    if (node.routes.size > 0) found.push({ node, params });
    return;
  }
  const child = node.children.get(segment);
  if (child !== undefined) collect(child, segments, depth + 1, params, found);
  if (node.parameter !== null && segment !== "") {
    const { name, node: next } = node.parameter;
    collect(next, segments, depth + 1, { ...params, [name]: segment }, found);
  }
}

/** The decoded segments; null for escapes that are no UTF-8 or no escapes at all. */
function splitPath(path: string): string[] | null {
  const segments = path.split("/");
  segments.shift();
  if (!path.includes("%")) return segments;
  try {
    return segments.map(decodeURIComponent);
  } catch {
    return null;
  }
}

function emptyNode(): Node {
  return { children: new Map(), parameter: null, routes: new Map() };
}
