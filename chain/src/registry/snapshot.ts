import type { Hex } from '@peerhost/protocol'
import type { RegistryEvent } from './state.ts'

/** A mirror at rest. */
export interface Snapshot {
  /** Genesis hash and coordinator: what chain and contracts it is of. */
  key: string
  events: RegistryEvent[]
  /** Blocks seen, the last one last. */
  checkpoints: { number: number; hash: Hex }[]
}

const INTEGER = /^-?[0-9]+n$/

/** Writes a snapshot as JSON; bigints as `12n`. */
export const writeSnapshot = (snapshot: Snapshot): string =>
  JSON.stringify(snapshot, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))

/** Reads a snapshot; undefined where the text is damaged, and the mirror starts anew. */
export function parseSnapshot(text: string): Snapshot | undefined {
  try {
    const snapshot = JSON.parse(text, (key, value: unknown) => {
      // Only these members are integers of the chain: a project may be called "1n".
      const isInteger = key === 'price' || key === 'units' || key.endsWith('Epoch')
      return isInteger && typeof value === 'string' && INTEGER.test(value) ? BigInt(value.slice(0, -1)) : value
    }) as Snapshot
    return Array.isArray(snapshot.events) && snapshot.checkpoints.length > 0 ? snapshot : undefined
  } catch {
    return undefined
  }
}
