import { type Hex, RUNTIME_ID, RUNTIME_IDS } from '@peerhost/protocol'

/** The runtime that functions are registered for: that of this machine's architecture, the common one where it has none. */
export const runtimeId = (arch: string = process.arch): Hex => (RUNTIME_IDS as Record<string, Hex>)[arch] ?? RUNTIME_ID
