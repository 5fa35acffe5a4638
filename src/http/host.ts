/**
 * Whether a request is meant for this server, and whether a browser may send it. Against DNS
 * rebinding (a foreign name that resolves to this machine) only known names are answered; against
 * forged requests, changes that a browser sends from another site's page are refused.
 */

/** Names that can only mean the machine itself. */
function isLoopbackName(name: string): boolean {
  return name === "localhost" || name === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(name);
}

/** Whether a server bound to this address can be reached from this machine only. */
export function isLoopbackAddress(address: string): boolean {
  const name = canonicalName(address);
  return name !== null && isLoopbackName(name);
}

/** Whether the address stands for every address of the machine. */
function isWildcardAddress(address: string): boolean {
  const name = canonicalName(address);
  return name === "0.0.0.0" || name === "[::]";
}

/** More host headers than an honest set of clients uses; beyond it, names are parsed each time. */
const REMEMBERED = 256;

export class HostGuard {
  readonly #allowed = new Set<string>();
  readonly #isWildcard: boolean;
  readonly #interfaceAddresses: () => readonly string[];
  /** Headers that were allowed, so that the usual request costs one look-up. */
  readonly #seen = new Set<string>();

  /**
   * @param address what the server is bound to
   * @param allowedHosts further names, as the setting `allowed-hosts` gives them
   */
  constructor(
    address: string,
    allowedHosts: readonly string[],
    interfaceAddresses: () => readonly string[] = ownAddresses,
  ) {
    for (const host of [address, ...allowedHosts]) {
      const name = canonicalName(host);
      if (name !== null) this.#allowed.add(name);
    }
    this.#isWildcard = isWildcardAddress(address);
    this.#interfaceAddresses = interfaceAddresses;
  }

  /** Whether the server answers to the `Host` header of a request with this URL. */
  allows(host: string | null, url: string): boolean {
    // A target in absolute form carries an authority of its own, which must agree.
    if (host === null || !url.startsWith(host, "http://".length)) return false;
    const next = url.charCodeAt("http://".length + host.length);
    if (next !== 47 /* slash */ && next !== 63 /* question mark */) return false;
    if (this.#seen.has(host)) return true;
    const name = canonicalName(host);
    if (name === null || !this.#isOwn(name)) return false;
    if (this.#seen.size < REMEMBERED) this.#seen.add(host);
    return true;
  }

  #isOwn(name: string): boolean {
    if (isLoopbackName(name) || this.#allowed.has(name)) return true;
    return this.#isWildcard && isIpAddress(name) &&
      this.#interfaceAddresses().some((address) => canonicalName(address) === name);
  }
}

/**
 * Why a request that changes something must be refused, or null. Browsers say by themselves where
 * a request comes from (https://www.w3.org/TR/fetch-metadata/); other programs do not and are let
 * through: what protects from them is the token.
 */
export function foreignOrigin(headers: Headers): string | null {
  const site = headers.get("sec-fetch-site");
  if (site !== null) {
    if (site === "same-origin" || site === "none") return null;
    return `the browser says that the request comes from another origin (${quote(site)})`;
  }
  const origin = headers.get("origin");
  if (origin === null) return null;
  const host = headers.get("host");
  if (origin === `http://${host}` || origin === `https://${host}`) return null;
  return `the request comes from the origin ${quote(origin)}`;
}

/**
 * A host's name in one spelling, without the port: lower-case, addresses in their usual form, IPv6
 * in brackets. Null when the text is not a host.
 */
function canonicalName(host: string): string | null {
  const isBareV6 = /^[0-9A-Fa-f:.]+$/.test(host) && host.split(":").length > 2;
  const text = isBareV6 ? `[${host}]` : host;
  if (!/^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?$/.test(text)) return null;
  try {
    return new URL(`http://${text}`).hostname.replace(/\.$/, "");
  } catch {
    return null;
  }
}

function isIpAddress(name: string): boolean {
  return name.startsWith("[") || /^\d+\.\d+\.\d+\.\d+$/.test(name);
}

/** None where it is not permitted to ask: then `allowed-hosts` has to name them. */
function ownAddresses(): string[] {
  try {
    return Deno.networkInterfaces().map(({ address }) => address);
  } catch {
    return [];
  }
}

function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text);
}
