import {
  type Domain,
  encodeResult,
  type FunctionResult,
  type Hex,
  hashMessage,
  keccak256,
  type MessageSigner,
  type Receipt,
  resultCommit,
  ZERO_HASH,
} from '@peerhost/protocol'
import type { ExecutionResult } from '@peerhost/sandbox'
import type { CheckedAssignment } from '../gateway/check-assignment.ts'

/** protocol.md, `sandbox`: what the driver counts as. */
export const SANDBOX_NSJAIL = 1

export interface SignedResult {
  receipt: Receipt
  receiptHash: Hex
  signature: Hex
  salt: Hex
  /** Canonical bytes behind resultHash. */
  output: Uint8Array
  body: Uint8Array
}

const EMPTY = new Uint8Array()

function functionResult(kind: 'http' | 'event', { status, response, output }: ExecutionResult): FunctionResult {
  if (status > 1) return { kind, status }
  return kind === 'http' ? { kind, status, response } : { kind, status, output: output ?? EMPTY }
}

/** Only an HTTP answer below 400 of a function that did not throw carries a price (protocol.md, status). */
function priceOf(kind: 'http' | 'event', result: ExecutionResult, price: bigint): bigint {
  const isGood = kind === 'http' && result.status === 0 && (result.response?.httpStatus ?? 500) < 400
  return isGood ? price : 0n
}

/** Signs what was done. The same assignment and result give the same bytes, also after losing the disk. */
export function makeReceipt(
  domain: Domain,
  signer: MessageSigner,
  worker: Hex,
  checked: CheckedAssignment,
  result: ExecutionResult,
): SignedResult {
  const { request, assignment, assignmentHash, requestHash, service, input } = checked
  const answer = functionResult(input.kind, result)
  const output = encodeResult(answer)
  const salt = signer.salt(assignmentHash)
  const receipt: Receipt = {
    assignmentHash,
    requestHash,
    serviceId: request.serviceId,
    version: request.version,
    codeDigest: service.spec.codeDigest,
    runtimeId: service.spec.runtimeId,
    sandbox: SANDBOX_NSJAIL,
    resultCommit: resultCommit(keccak256(output), salt, worker),
    tapeRoot: ZERO_HASH,
    status: result.status,
    price: priceOf(input.kind, result, service.spec.price),
    epoch: assignment.epoch,
    worker,
  }
  const receiptHash = hashMessage(domain, 'Receipt', receipt)
  const body = result.status > 1 ? EMPTY : ((input.kind === 'http' ? result.response?.body : result.output) ?? EMPTY)
  return { receipt, receiptHash, signature: signer.sign(receiptHash), salt, output, body }
}
