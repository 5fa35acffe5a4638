/** Proves which addresses count as public, without asking a resolver. */
import assert from "node:assert/strict";
import { findNonPublic, isIpAddress } from "../../src/lib/outbound/ip_address.ts";

const REFUSED: readonly [string, string][] = [
  ["0.0.0.0", "an unspecified"],
  ["0.1.2.3", "an unspecified"],
  ["10.0.0.0", "a private"],
  ["10.255.255.255", "a private"],
  ["100.64.0.0", "a carrier-grade NAT"],
  ["100.127.255.255", "a carrier-grade NAT"],
  ["127.0.0.1", "a loopback"],
  ["127.255.255.254", "a loopback"],
  ["169.254.169.254", "a link-local"],
  ["172.16.0.1", "a private"],
  ["172.31.255.255", "a private"],
  ["192.0.0.8", "a reserved"],
  ["192.0.2.1", "a documentation"],
  ["192.88.99.1", "a reserved"],
  ["192.168.1.1", "a private"],
  ["198.18.0.1", "a benchmarking"],
  ["198.19.255.255", "a benchmarking"],
  ["198.51.100.7", "a documentation"],
  ["203.0.113.7", "a documentation"],
  ["224.0.0.1", "a multicast"],
  ["239.255.255.255", "a multicast"],
  ["240.0.0.1", "a reserved"],
  ["255.255.255.255", "a reserved"],
  ["::", "an unspecified"],
  ["::1", "a loopback"],
  ["0:0:0:0:0:0:0:1", "a loopback"],
  ["::127.0.0.1", "a reserved"],
  ["::ffff:127.0.0.1", "an IPv4-mapped"],
  ["::ffff:7f00:1", "an IPv4-mapped"],
  ["::ffff:9.9.9.9", "an IPv4-mapped"],
  ["64:ff9b::127.0.0.1", "a loopback"],
  ["64:ff9b::10.0.0.1", "a private"],
  ["64:ff9b:1::1", "a reserved"],
  ["100::1", "a reserved"],
  ["2001::1", "a reserved"],
  ["2001:db8::1", "a documentation"],
  ["2002:7f00:1::", "a 6to4"],
  ["3fff::1", "a documentation"],
  ["4000::1", "a reserved"],
  ["fc00::1", "a unique-local"],
  ["fd12:3456::1", "a unique-local"],
  ["fe80::1", "a link-local"],
  ["fe80::1%eth0", "a link-local"],
  ["fec0::1", "a site-local"],
  ["ff02::1", "a multicast"],
];

Deno.test("findNonPublic() names every address that is not of the public internet", () => {
  for (const [address, name] of REFUSED) assert.equal(findNonPublic(address), name, address);
});

Deno.test("findNonPublic() lets public addresses pass, also those just beside a refused block", () => {
  const addresses = [
    "1.1.1.1",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "64:ff9b::9.9.9.9",
    "2001:200::1",
    "2606:4700:4700::1111",
    "2a00:1450:4001::200e",
  ];
  for (const address of addresses) assert.equal(findNonPublic(address), null, address);
});

Deno.test("findNonPublic() refuses what is no address in its usual notation", () => {
  const texts = [
    "",
    "localhost",
    "127.1",
    "0177.0.0.1",
    "0x7f.0.0.1",
    "2130706433",
    "9.9.9.9.9",
    "9.9.9.256",
    "9.9.9.",
    ":::",
    "::1::",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "12345::",
    "g::",
    "::9.9.9.9:1",
  ];
  for (const text of texts) {
    assert.equal(findNonPublic(text), "an unreadable", text);
    assert.equal(isIpAddress(text), false, text);
  }
});
