import type { BatchHeader } from '@peerhost/protocol'

/** A batch header as JSON, integers as decimal strings. */
export const headerToJson = (header: BatchHeader): string =>
  JSON.stringify(header, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))

/** The inverse, for what this gateway wrote itself. */
export function headerFromJson(text: string): BatchHeader {
  const header = JSON.parse(text) as BatchHeader & { index: string; cumulativeWeight: string }
  return { ...header, index: BigInt(header.index), cumulativeWeight: BigInt(header.cumulativeWeight) }
}
