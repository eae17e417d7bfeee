import { describe, expect, test } from "vitest";
import { createAddressRule } from "../../../../src/sandbox/capabilities/addresses.ts";
import { checkUrl, entryProblem } from "../../../../src/sandbox/capabilities/urls.ts";

const kindOf = (url: string, ...allow: string[]): string => checkUrl(url, allow).kind;

describe("allow.fetch grants", () => {
  test.each([
    ["https://api.example.com/", "https://api.example.com/v1?x=1"],
    ["https://api.example.com", "https://API.Example.COM:443/anything"],
    ["https://api.example.com/v1", "https://api.example.com/v1"],
    ["https://api.example.com/v1", "https://api.example.com/v1/users"],
    ["https://api.example.com/v1/", "https://api.example.com/v1/a/../b"],
    ["https://bücher.example/", "https://xn--bcher-kva.example/x"],
    ["https://xn--bcher-kva.example/", "https://BÜCHER.example/x"],
    ["http://127.0.0.1:8080/", "http://127.0.0.1:8080/x"],
    ["http://127.0.0.1/", "http://0x7f.1/x"],
    ["https://api.example.com/", "https://api.example.com/a%2Fb"],
    ["https://api.example.com/v1/", "https://api.example.com/v1/100%25"],
    ["https://api.example.com/v1/", "https://api.example.com/v1/x?next=../../admin%2f"],
  ])("%s grants %s", (entry, url) => {
    expect(kindOf(url, entry)).toBe("granted");
  });

  test.each([
    ["https://api.example.com/", "http://api.example.com/"],
    ["https://api.example.com/", "https://api.example.com:8443/"],
    ["https://api.example.com/", "https://api.example.com.evil.test/"],
    ["https://api.example.com/", "https://api.example.com@evil.test/"],
    ["https://api.example.com/", "https://user:secret@api.example.com/"],
    ["https://api.example.com/", "https://user@api.example.com/"],
    ["https://api.example.com/", "https://:secret@api.example.com/"],
    ["https://api.example.com/", "https://evil.test/https://api.example.com/"],
    ["https://api.example.com/", "https://evil.test#https://api.example.com/"],
    ["https://api.example.com/", String.raw`https://evil.test\@api.example.com/`],
    ["https://api.example.com/", "https://sub.api.example.com/"],
    ["https://api.example.com/", "https://api.example.com./"],
    ["https://api.example.com/v1", "https://api.example.com/v10"],
    ["https://api.example.com/v1/", "https://api.example.com/v1"],
    ["https://api.example.com/v1/", "https://api.example.com/v1/../admin"],
    ["https://api.example.com/v1/", "https://api.example.com/v1/%2e%2e/admin"],
    ["https://api.example.com/v1/", "https://api.example.com/v1/..%2fadmin"],
    ["https://api.example.com/v1/", "https://api.example.com/v1/%252e%252e%252fadmin"],
    ["https://api.example.com/v1/", String.raw`https://api.example.com/v1/..%5cadmin`],
    ["https://api.example.com/v1/", String.raw`https://api.example.com/v1\..\admin`],
    ["https://api.example.com/v1/", "https://api.example.com/v1/..;/admin"],
    ["https://api.example.com/v1/", "https://api.example.com/v1/x%00"],
    ["https://bücher.example/", "https://bucher.example/"],
    ["http://127.0.0.1:8080/", "http://localhost:8080/"],
    ["https://api.example.com/", "file:///etc/passwd"],
    ["https://api.example.com/", "/relative"],
    ["https://api.example.com/", ""],
  ])("%s does not grant %s", (entry, url) => {
    expect(kindOf(url, entry)).toBe("refused");
  });

  test("nothing when the list is empty, and the refusal names the setting but no query", () => {
    expect(checkUrl("https://a.example/x?token=abc", [])).toMatchObject({
      kind: "refused",
      message: expect.stringMatching(/^https:\/\/a\.example\/x is not granted: allow\.fetch/),
    });
  });

  test.each([
    "ftp://a.example/",
    "https://u@a.example/",
    "https://:p@a.example/",
    "https://a.example/?x",
    "https://a.example/%2e%2e%2f",
  ])("the entry %s is told to be wrong", (entry) => {
    expect(entryProblem(entry)).toBeDefined();
    expect(kindOf(entry, entry)).toBe("refused");
  });
});

describe("the address rule", () => {
  const mayReach = createAddressRule([]);

  test.each([
    "93.184.216.34",
    "8.8.8.8",
    "2606:4700::1111",
    "64:ff9b::808:808",
    "::ffff:8.8.8.8",
    "2002:808:808::1",
  ])("%s is on the public Internet", (address) => {
    expect(mayReach(address)).toBe(true);
  });

  test.each([
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.8.9.10",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:a00:1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::808:808",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "not an address",
    "",
  ])("%s is not", (address) => {
    expect(mayReach(address)).toBe(false);
  });

  test("networks that the operator lists are open, in every spelling of their addresses, and no others", () => {
    const rule = createAddressRule(["10.0.0.0/8", "192.168.1.5", "fd00:1::/32", "::1"]);
    for (const address of ["10.9.8.7", "192.168.1.5", "::ffff:10.9.8.7", "fd00:1::2", "::1"])
      expect(rule(address), address).toBe(true);
    for (const address of ["192.168.1.6", "127.0.0.1", "fd00:2::2", "::", "::2", "::ffff:0.0.0.1"])
      expect(rule(address), address).toBe(false);
  });
});
