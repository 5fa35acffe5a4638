/**
 * The sockets that this process has open, as Linux tells of them. Owns where that stands; does not
 * know what they are used for.
 */
const DESCRIPTORS = "/proc/self/fd";

/** The names of all descriptors, sockets or not: their numbers. */
export async function descriptors(): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(DESCRIPTORS)) names.push(name);
  return names;
}

/** The number of the socket that a descriptor is; null: it is none, or was closed meanwhile. */
export function socketOf(descriptor: string): number | null {
  try {
    const inode = /^socket:\[(\d+)\]$/.exec(Deno.readLinkSync(`${DESCRIPTORS}/${descriptor}`))?.[1];
    return inode === undefined ? null : Number(inode);
  } catch {
    return null;
  }
}

/** All sockets; null where there are more descriptors than that, since to look at one takes 10 µs. */
export async function socketsAmong(mostDescriptors: number): Promise<number[] | null> {
  const names = await descriptors();
  if (names.length > mostDescriptors) return null;
  return names.map(socketOf).filter((inode) => inode !== null);
}
