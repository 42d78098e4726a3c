export { crashPoint, type CrashPoint, crashPoints } from "./crash-points.ts";
