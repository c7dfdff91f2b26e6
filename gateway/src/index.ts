export type { GatewayConfig, GatewayLimits } from './config.ts'
export { createGateway, type Gateway } from './create-gateway.ts'
export type { LogLevel } from './log.ts'
