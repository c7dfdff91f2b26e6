import type { RegisteredService, Registry } from '@peerhost/chain'
import {
  type AssignFrame,
  type Assignment,
  type Domain,
  decodeInput,
  type FunctionInput,
  type Hex,
  hashMessage,
  keccak256,
  messageFromArray,
  PeerHostError,
  type Recover,
  type Request,
  serviceId,
  toHex,
} from '@peerhost/protocol'

export interface CheckAssignmentOptions {
  domain: Domain
  registry: Registry
  /** The worker's bonded address. */
  worker: Hex
  /** Runtimes that this worker has. */
  runtimeIds: readonly Hex[]
  nowMs: number
  /** Milliseconds: when the worker's database was made. */
  databaseMs: number
}

export interface CheckedAssignment {
  request: Request
  assignment: Assignment
  requestHash: Hex
  assignmentHash: Hex
  service: RegisteredService
  input: FunctionInput
}

/** Milliseconds that a request's clock may be off (protocol.md, Messages). */
export const CLOCK_TOLERANCE_MS = 30_000

const refuse = (detail: string) => new PeerHostError('PH_WORKER_REFUSED', { detail })

/**
 * Checks an order before anything is run for it: for which registered code, over which input, when, in whose name; all but
 * the signature, which is `checkSigner`'s. Throws PH_WORKER_REFUSED or PH_RECEIPT_INVALID.
 */
export async function checkAssignment(frame: AssignFrame, options: CheckAssignmentOptions): Promise<CheckedAssignment> {
  const { domain, registry, worker, nowMs } = options
  const request = messageFromArray('Request', frame.request, toHex)
  const assignment = messageFromArray('Assignment', frame.assignment, toHex)
  const requestHash = hashMessage(domain, 'Request', request)
  const assignmentHash = hashMessage(domain, 'Assignment', assignment)

  if (assignment.requestHash !== requestHash) throw refuse('the assignment is of another request')
  if (assignment.worker !== worker) throw refuse('the assignment is for another worker')
  if (!registry.isEligibleGateway(assignment.gateway)) throw refuse('the gateway is not bonded')

  const clockMs = Number(request.clockMs)
  if (Math.abs(clockMs - nowMs) > CLOCK_TOLERANCE_MS) throw refuse('the request’s clock is more than 30 s off')
  if (clockMs < options.databaseMs) throw refuse('the request is older than this worker’s database')
  if (Number(request.deadlineMs) < nowMs || Number(assignment.answerByMs) < nowMs)
    throw refuse('the request is past its deadline')
  if (assignment.epoch !== BigInt(Math.floor(clockMs / 1000)) / registry.parameters.epochLength)
    throw refuse('the epoch is not that of the clock')

  if (request.serviceId !== serviceId(frame.owner as Hex, frame.project, frame.function))
    throw refuse('the service is another one')
  let service = registry.service(request.serviceId, request.version)
  if (!service) {
    await registry.sync() // it may be younger than the last look
    service = registry.service(request.serviceId, request.version)
  }
  if (!service || service.retired) throw refuse('the version is not registered')
  if (!options.runtimeIds.includes(service.spec.runtimeId)) throw refuse('the function was built for another runtime')

  if (keccak256(frame.input) !== request.inputHash) throw refuse('the input is another one')
  const input = decodeInput(frame.input, frame.body)
  if (input.kind === 'http' && request.maxPrice < service.spec.price)
    throw refuse('the request allows less than the price')
  return { request, assignment, requestHash, assignmentHash, service, input }
}

/** Checks that an order is signed by its gateway. Throws PH_WORKER_REFUSED. */
export function checkSigner(
  { assignment, assignmentHash }: CheckedAssignment,
  signature: Hex,
  { registry, recover }: { registry: Registry; recover: Recover },
): void {
  const signer = recover(assignmentHash, signature)
  if (!signer || registry.hotKeyOwner(signer, assignment.epoch) !== assignment.gateway)
    throw refuse('the assignment is not signed by a key of its gateway')
}
