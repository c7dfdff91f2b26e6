import type { NetworkName } from '@peerhost/protocol'

/** What the contracts are built with for ever; times in seconds, amounts in atomic USDC. */
export interface DeploymentParameters {
  /** USDC of one unit of stake. */
  unit: bigint
  /** Units. */
  workerMinimum: number
  /** Units. */
  gatewayMinimum: number
  epochLength: number
  /**
   * The vault's constructor demands more than epochLength + maxAge + challengeWindow + disputePeriod (the term of F11
   * and all dispute rounds) and more than two epochs.
   */
  unbondingPeriod: number
  /** Greatest age of a request's clock when it is anchored. */
  maxAge: number
  challengeWindow: number
  /** All rounds of a dispute: commit, opening, reveal and appeal, three times. */
  disputePeriod: number
  /** What a gateway promises in an Acceptance. */
  anchorBy: number
}

const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const TEST: DeploymentParameters = {
  unit: 100_000_000n,
  workerMinimum: 1,
  gatewayMinimum: 5,
  epochLength: 10 * MINUTE,
  unbondingPeriod: DAY,
  maxAge: 10 * MINUTE,
  challengeWindow: HOUR,
  disputePeriod: 3 * (10 + 15 + 10 + 30) * MINUTE,
  anchorBy: 5 * MINUTE,
}

/** protocol.md, Parameters. */
export const PARAMETERS: Record<NetworkName, DeploymentParameters> = {
  // Five minutes of unbonding would be shorter than the liability they must outlast, so it is half an hour here.
  local: { ...TEST, challengeWindow: 30, disputePeriod: 3 * MINUTE, unbondingPeriod: 30 * MINUTE },
  amoy: TEST,
  polygon: {
    ...TEST,
    workerMinimum: 5,
    gatewayMinimum: 50,
    epochLength: HOUR,
    unbondingPeriod: 7 * DAY,
    challengeWindow: DAY,
    disputePeriod: 3 * (10 + 120 + 10 + 30) * MINUTE,
  },
}
