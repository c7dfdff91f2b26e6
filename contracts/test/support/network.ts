import {
  type BatchHeader,
  executionCoordinatorAbi,
  type FunctionSpec,
  type Hex,
  hashMessage,
  keccak256,
  paymentVaultAbi,
  stakeVaultAbi,
  testUsdcAbi,
  ZERO_HASH,
} from '@peerhost/protocol'
import { Contract, type InterfaceAbi, type Signer, type Wallet } from 'ethers'
import { type DeployContractsResult, deployContracts, placeTestUsdc } from '../../src/index.ts'
import { mined, openChain, type TestChain } from './chain.ts'

export interface TestNetwork extends TestChain {
  deployment: DeployContractsResult
  usdc: Contract
  coordinator: Contract
  stakeVault: Contract
  paymentVault: Contract
}

/** A chain with the test USDC and the contracts, deployed as `peerhost dev` does it. */
export async function openNetwork(): Promise<TestNetwork> {
  const chain = await openChain()
  const [deployer] = chain.signers as Signer[]
  await placeTestUsdc(chain.provider)
  const deployment = await deployContracts({ signer: deployer!, network: 'local' })
  const contract = (address: string, abi: unknown) => new Contract(address, abi as InterfaceAbi, deployer)
  return {
    ...chain,
    deployment,
    usdc: contract(deployment.usdc, testUsdcAbi),
    coordinator: contract(deployment.addresses.ExecutionCoordinator, executionCoordinatorAbi),
    stakeVault: contract(deployment.addresses.StakeVault, stakeVaultAbi),
    paymentVault: contract(deployment.addresses.PaymentVault, paymentVaultAbi),
  }
}

/** The same contract spoken to by another signer. */
export const as = (contract: Contract, signer: Signer): Contract => contract.connect(signer) as Contract

/** A fixed 32-byte value that looks like any hash. */
export const hash = (text: string): Hex => keccak256(new TextEncoder().encode(text))

/** A function's registration with the values of a real one. */
export const spec = (name: string, codeDigest: Hex = hash(name)): FunctionSpec => ({
  name,
  codeDigest,
  manifestDigest: hash('manifest'),
  price: 1000n,
  class: 0,
  runtimeId: hash('runtime'),
})

/** The first batch of a gateway, of 1,000 leaves. */
export const firstBatch = (gateway: string): BatchHeader => ({
  gateway: gateway as Hex,
  index: 0n,
  predecessor: ZERO_HASH,
  receiptsRoot: hash('receipts'),
  earningsRoot: hash('earnings'),
  dataDigest: hash('data'),
  count: 1000,
  cumulativeWeight: 20_000_000n,
  reserved: ZERO_HASH,
})

/** Gives USDC to `signer` and bonds `units` of it. */
export async function bond(network: TestNetwork, signer: Signer, units: number): Promise<void> {
  const amount = BigInt(units) * network.deployment.parameters.unit
  await mined(network.usdc.mint!(await signer.getAddress(), amount))
  await mined(as(network.usdc, signer).approve!(network.stakeVault.target, amount))
  await mined(as(network.stakeVault, signer).stake!(units))
}

/** Registers a hot key of `owner` with the key's own signature. */
export async function registerHotKey(network: TestNetwork, owner: Signer, key: Wallet): Promise<void> {
  const domain = { chainId: 84532, verifyingContract: network.deployment.addresses.ExecutionCoordinator }
  const message = { owner: (await owner.getAddress()) as Hex, key: key.address as Hex }
  const { serialized } = key.signingKey.sign(hashMessage(domain, 'HotKey', message))
  await mined(as(network.stakeVault, owner).registerHotKey!(key.address, serialized))
}
