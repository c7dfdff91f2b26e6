import { encodeBatchData, type Hex, hashMessage, ZERO_HASH } from '@peerhost/protocol'
import type { Context } from '../context.ts'
import type { ReceiptRecord } from '../store/store.ts'
import { type CompletedCall, leafOf, type SignedAcceptance } from './completed-call.ts'

/** Signs the promise to anchor a receipt, once receipt and payment were checked, and makes the record to keep of it. */
export function accept(
  { signer, domain, registry }: Pick<Context, 'signer' | 'domain' | 'registry'>,
  call: CompletedCall,
  paymentRef: Hex = ZERO_HASH,
): { accepted: SignedAcceptance; record: ReceiptRecord } {
  const anchorBy = BigInt(Math.floor(Date.now() / 1000)) + registry.parameters.anchorBy
  const acceptance = { receiptHash: call.receiptHash, paymentRef, anchorBy }
  const accepted = { acceptance, signature: signer.sign(hashMessage(domain, 'Acceptance', acceptance)) }
  const leaf = encodeBatchData([leafOf(call, accepted)], [])
  return { accepted, record: { receiptHash: call.receiptHash, leaf, anchorBy: Number(anchorBy) } }
}
