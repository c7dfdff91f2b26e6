import { readFileSync } from 'node:fs'

export type ContractName = 'ExecutionCoordinator' | 'StakeVault' | 'PaymentVault' | 'TestUSDC'

interface Artifacts {
  compiler: string
  contracts: Record<ContractName, { bytecode: `0x${string}`; runtimeCode?: `0x${string}` }>
}

let artifacts: Artifacts | undefined

/** Creation code of the contracts, and the test token's runtime code, as `generate.ts` wrote them. */
export function readArtifacts(): Artifacts {
  artifacts ??= JSON.parse(readFileSync(new URL('../artifacts.json', import.meta.url), 'utf8')) as Artifacts
  return artifacts
}
