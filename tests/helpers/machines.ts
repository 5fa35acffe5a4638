/**
 * Several machines on this one: network namespaces, each with an address of its own on a bridge, and in
 * it a process namespace and a host name of its own, as containers have. Where that is not permitted
 * they are loopback addresses, which is said aloud. Owns the namespaces and the bridge.
 */

export interface Machine {
  readonly address: string;
  /** Words before a program, so that it runs there. */
  readonly wrapper: readonly string[];
}

/** All of them have it, so that nobody can tell them apart by it. */
const HOST_NAME = "queuectl-machine";

/** Its first process has the number 1, and ends with the one that waits for it here. */
const INSIDE = [
  ...["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--uts"],
  ...["sh", "-c", 'echo "$0" >/proc/sys/kernel/hostname; exec "$@"', HOST_NAME],
];

export class Network {
  readonly #id = crypto.randomUUID().slice(0, 6);
  readonly #net = `10.${128 + random(100)}.${random(255)}`;
  readonly machines: readonly Machine[];
  /** Whether they are machines, as far as the network and the processes can tell. */
  readonly isReal: boolean;

  /** To be called outside of tests; what it has made goes when this process ends. */
  constructor(count: number) {
    const numbers = Array.from({ length: count }, (_, index) => index + 1);
    addEventListener("unload", () => this.#remove(count));
    this.isReal = this.#make(numbers);
    this.machines = numbers.map((number) =>
      this.isReal
        ? {
          address: `${this.#net}.${number + 1}`,
          wrapper: ["ip", "netns", "exec", this.#space(number), ...INSIDE],
        }
        : { address: `127.0.0.${number + 1}`, wrapper: [] }
    );
    if (this.isReal) return;
    this.#remove(count);
    console.error("\n*** no network namespaces here: loopback addresses stand for machines ***\n");
  }

  /** Where the machines find this one. */
  get gateway(): string {
    return this.isReal ? `${this.#net}.1` : "127.0.0.1";
  }

  get subnet(): string {
    return this.isReal ? `${this.#net}.0/24` : "127.0.0.0/8";
  }

  #space(number: number): string {
    return `queuectl-${this.#id}-${number}`;
  }

  #make(numbers: readonly number[]): boolean {
    const bridge = `qb${this.#id}`;
    return ip("link", "add", bridge, "type", "bridge") &&
      ip("addr", "add", `${this.#net}.1/24`, "dev", bridge) && ip("link", "set", bridge, "up") &&
      numbers.every((number) => this.#makeOne(bridge, number)) && runs(...INSIDE, "true");
  }

  #makeOne(bridge: string, number: number): boolean {
    const space = this.#space(number);
    const [near, far] = [`qn${this.#id}${number}`, `qf${this.#id}${number}`];
    const there = ["-n", space];
    return ip("netns", "add", space) && ip("link", "add", near, "type", "veth", "peer", far) &&
      ip("link", "set", far, "netns", space) && ip("link", "set", near, "master", bridge, "up") &&
      ip(...there, "addr", "add", `${this.#net}.${number + 1}/24`, "dev", far) &&
      ip(...there, "link", "set", far, "up") && ip(...there, "link", "set", "lo", "up");
  }

  #remove(count: number): void {
    for (let number = 1; number <= count; number++) ip("netns", "del", this.#space(number));
    ip("link", "del", `qb${this.#id}`);
  }
}

function ip(...args: string[]): boolean {
  return runs("ip", ...args);
}

function runs(...[command, ...args]: string[]): boolean {
  try {
    return new Deno.Command(command!, { args, stdout: "null", stderr: "null" }).outputSync()
      .success;
  } catch {
    return false; // there is no such program
  }
}

function random(below: number): number {
  return Math.floor(Math.random() * below);
}
