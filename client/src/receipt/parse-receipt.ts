import { decodeReceiptHeader, PeerHostError, receiptFromJson, type SignedReceipt } from '@peerhost/protocol'

/** What `peerhost call --save` writes: the receipt header's JSON and both bodies. */
export interface SavedReceipt {
  receipt: SignedReceipt
  /** Body of the answer. */
  body?: Uint8Array
  requestBody?: Uint8Array
}

/**
 * Reads a receipt in any form it comes in: the value of `PEERHOST-RECEIPT`, its JSON, or the text of a saved file, which
 * also holds `requestBody` and `body` in base64.
 *
 * @throws PH_RECEIPT_INVALID
 */
export function parseReceipt(source: string | object): SavedReceipt {
  if (typeof source === 'string' && !source.trimStart().startsWith('{')) return { receipt: decodeReceiptHeader(source) }
  const json = typeof source === 'string' ? parseJson(source) : source
  const { body, requestBody } = json as { body?: unknown; requestBody?: unknown }
  return {
    receipt: receiptFromJson(json),
    body: readBody('body', body),
    requestBody: readBody('requestBody', requestBody),
  }
}

function parseJson(text: string): object {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value
  } catch {}
  throw new PeerHostError('PH_RECEIPT_INVALID', { detail: 'it is neither a receipt header nor JSON' })
}

function readBody(name: string, value: unknown): Uint8Array | undefined {
  if (value === undefined) return undefined
  try {
    return Uint8Array.from(atob(value as string), (character) => character.charCodeAt(0))
  } catch {
    throw new PeerHostError('PH_RECEIPT_INVALID', { detail: `${name} is not base64` })
  }
}
