import * as protocol from '@peerhost/protocol'

/** The runtime that functions are registered for: that of this machine's architecture, x64 where it has none. */
export function runtimeId(arch: string = process.arch): protocol.Hex {
  const ids = (protocol as { RUNTIME_IDS?: Record<string, protocol.Hex> }).RUNTIME_IDS ?? {}
  return ids[arch] ?? ids.x64 ?? protocol.ZERO_HASH
}
