import type { RegisteredService } from '@peerhost/chain'
import {
  type Assignment,
  type Domain,
  decodeResult,
  errorAnswer,
  type FunctionInput,
  type FunctionResult,
  type Hex,
  hashMessage,
  isAnswerStatus,
  isHex,
  isPeerHostError,
  keccak256,
  messageFromArray,
  PeerHostError,
  type Receipt,
  type Request,
  type ResultFrame,
  resultCommit,
  resultHash,
  toHex,
  ZERO_HASH,
} from '@peerhost/protocol'
import { recover } from '@peerhost/protocol/native'
import type { WorkerIdentity } from '../workers/worker-connection.ts'

export interface CheckResultOptions {
  domain: Domain
  service: RegisteredService
  kind: FunctionInput['kind']
  request: Request
  assignment: Assignment
  assignmentHash: Hex
  identity: WorkerIdentity
  frame: ResultFrame
}

export interface CheckedResult {
  receipt: Receipt
  receiptHash: Hex
  result: FunctionResult
}

/** What a result charges: the price, if the function answered with status 0 and an HTTP status below 400. */
export const priceOf = (price: bigint, result: FunctionResult): bigint =>
  result.kind === 'http' && result.status === 0 && result.response!.httpStatus < 400 ? price : 0n

const FIXED_ANSWERS: Hex[] = (['http', 'httpApi'] as const).map((kind) =>
  resultHash({ kind: 'http', status: 1, response: errorAnswer(kind, 1) }),
)

const same = (a: unknown, b: unknown, what: string) => {
  if (a !== b) throw new PeerHostError('PH_WORKER_BAD_RECEIPT', { detail: `${what} is not the expected one` })
}

/**
 * Checks all that a worker claims about an answer: that its receipt is of this assignment, this code and this runtime,
 * signed by its hot key, that its commitment opens to these bytes, and that it charges by the rules.
 * Throws PH_WORKER_BAD_RECEIPT.
 */
export function checkResult(options: CheckResultOptions): CheckedResult {
  try {
    return check(options)
  } catch (error) {
    if (isPeerHostError(error, 'PH_WORKER_BAD_RECEIPT')) throw error
    const detail = error instanceof Error ? error.message : String(error)
    throw new PeerHostError('PH_WORKER_BAD_RECEIPT', { detail }, { cause: error })
  }
}

function check({
  domain,
  service,
  kind,
  request,
  assignment,
  assignmentHash,
  identity,
  frame,
}: CheckResultOptions): CheckedResult {
  const receipt = messageFromArray('Receipt', frame.receipt, toHex)
  const { spec } = service
  same(receipt.assignmentHash, assignmentHash, 'assignmentHash')
  same(receipt.requestHash, assignment.requestHash, 'requestHash')
  same(receipt.serviceId, request.serviceId, 'serviceId')
  same(receipt.version, request.version, 'version')
  same(receipt.codeDigest, spec.codeDigest, 'codeDigest')
  same(receipt.runtimeId, spec.runtimeId, 'runtimeId')
  same(receipt.sandbox, identity.sandbox, 'sandbox')
  same(receipt.tapeRoot, ZERO_HASH, 'tapeRoot')
  same(receipt.epoch, assignment.epoch, 'epoch')
  same(receipt.worker, identity.worker, 'worker')

  const result = decodeResult(frame.output, frame.body)
  same(result.kind, kind, 'the kind of its result')
  same(result.status, receipt.status, 'the status of its result')
  const httpStatus = result.kind === 'http' ? result.response?.httpStatus : undefined
  if (httpStatus !== undefined) same(isAnswerStatus(httpStatus), true, 'the HTTP status')
  // What a function threw stays between it and its owner: its caller gets the fixed answer and nothing else.
  if (result.kind === 'http' && result.status === 1)
    same(FIXED_ANSWERS.includes(keccak256(frame.output)), true, 'the answer of a function that threw')
  same(receipt.price, priceOf(service.spec.price, result), 'price')
  if (!isHex(frame.salt, 32)) same(frame.salt, ZERO_HASH, 'salt')
  same(receipt.resultCommit, resultCommit(keccak256(frame.output), frame.salt, identity.worker), 'resultCommit')
  same(frame.start === 'forked' || frame.start === 'cold', true, 'start')

  const receiptHash = hashMessage(domain, 'Receipt', receipt)
  same(recover(receiptHash, frame.signature), identity.hotKey, 'the key that signed')
  return { receipt, receiptHash, result }
}
