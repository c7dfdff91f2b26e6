import {
  executionCoordinatorAbi,
  type FunctionSpec,
  type Hex,
  serviceId,
  specHash,
  ZERO_HASH,
} from '@peerhost/protocol'
import { Contract, Interface, type JsonRpcProvider } from 'ethers'
import type { SentTransaction, TransactionSender } from './sender.ts'

const coordinator = new Interface(executionCoordinatorAbi)

/** Sends one `deploy` transaction for all functions given; a spec with code digest 0 retires its function. */
export async function deployFunctions(
  sender: TransactionSender,
  contract: Hex,
  project: string,
  specs: FunctionSpec[],
): Promise<SentTransaction> {
  const data = coordinator.encodeFunctionData('deploy', [project, specs]) as Hex
  return sender.send({ to: contract, data })
}

/** The spec that retires a function. */
export const retiredSpec = (name: string): FunctionSpec => ({
  name,
  codeDigest: ZERO_HASH,
  manifestDigest: ZERO_HASH,
  price: 0n,
  class: 0,
  runtimeId: ZERO_HASH,
})

/** What the chain says about a function now: its latest version and that version's commitment. */
export async function readRegistration(
  provider: JsonRpcProvider,
  contract: Hex,
  owner: Hex,
  project: string,
  functionName: string,
): Promise<{ version: number; commitment: Hex }> {
  const contractReader = new Contract(contract, executionCoordinatorAbi, provider)
  const id = serviceId(owner, project, functionName)
  const version = Number(await contractReader.latestVersion!(id))
  const commitment = version === 0 ? ZERO_HASH : ((await contractReader.specCommitment!(id, version)) as Hex)
  return { version, commitment }
}

/** True where that commitment is of this spec. */
export const isRegistered = (commitment: Hex, spec: FunctionSpec): boolean => commitment === specHash(spec)
