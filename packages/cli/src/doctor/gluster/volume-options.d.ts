/** The table of deploy/glusterfs, as it stands in the file; an executable has it inside. */
declare module "*/glusterfs/volume-options" {
  const text: string;
  export default text;
}
