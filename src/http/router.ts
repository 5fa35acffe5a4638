/**
 * Finds the route of a request by the segments of its path. Owns matching only; knows no handler.
 *
 * Invariant: a segment that is spelled out wins over a `{name}`, and a path that exists is told
 * apart from a method that it does not have.
 */
import type { Route } from "./context.ts";

interface RouteMatch {
  readonly type: "route";
  readonly route: Route;
  readonly params: Record<string, string>;
}

export type Match =
  | Readonly<RouteMatch>
  /** The path exists, with these methods only. */
  | { readonly type: "wrong-method"; readonly allowed: readonly string[] }
  | { readonly type: "no-path" };

/** What can follow after some segments. */
interface Node {
  readonly children: Map<string, Node>;
  parameter: { readonly name: string; readonly node: Node } | null;
  readonly routes: Map<string, Route>;
}

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
    const match = find(this.#root, segments, 0, method === "HEAD" ? "GET" : method);
    if (match !== null) return match;
    const methods = new Set(methodsAt(this.#root, segments, 0));
    if (methods.size === 0) return NO_PATH;
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

/** What the segments lead to with this method; the node that is spelled out goes first. */
function find(
  node: Node,
  segments: readonly string[],
  depth: number,
  method: string,
): RouteMatch | null {
  const segment = segments[depth];
  if (segment === undefined) {
    const route = node.routes.get(method);
    return route === undefined ? null : { type: "route", route, params: {} };
  }
  const child = node.children.get(segment);
  const match = child === undefined ? null : find(child, segments, depth + 1, method);
  if (match !== null || node.parameter === null || segment === "") return match;
  const { name, node: next } = node.parameter;
  const matched = find(next, segments, depth + 1, method);
  if (matched !== null) matched.params[name] = segment;
  return matched;
}

/** The methods of every node that the segments lead to. */
function* methodsAt(node: Node, segments: readonly string[], depth: number): Generator<string> {
  const segment = segments[depth];
  if (segment === undefined) {
    yield* node.routes.keys();
    return;
  }
  const child = node.children.get(segment);
  if (child !== undefined) yield* methodsAt(child, segments, depth + 1);
  if (node.parameter !== null && segment !== "") {
    yield* methodsAt(node.parameter.node, segments, depth + 1);
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
