/* The limit of XML-RPC itself: xmlrpc-c's Abyss server answers getCustomerInfo from memory. No database, no
   authentication. Its first argument is the port; each line of standard input is the name of a member. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xmlrpc-c/base.h>
#include <xmlrpc-c/server.h>
#include <xmlrpc-c/server_abyss.h>

static char names[256][64];
static int count = 0;

static xmlrpc_value *get_customer_info(xmlrpc_env *env, xmlrpc_value *params, void *info, void *call) {
  int i_customer;
  (void)info;
  (void)call;
  xmlrpc_decompose_value(env, params, "({s:i,*})", "i_customer", &i_customer);
  if (env->fault_occurred) return NULL;
  xmlrpc_value *customer = xmlrpc_struct_new(env);
  for (int index = 0; index < count; index += 1) {
    xmlrpc_value *value = index % 4 ? xmlrpc_string_new(env, "Harbour Street 12") : xmlrpc_int_new(env, i_customer);
    xmlrpc_struct_set_value(env, customer, names[index], value);
    xmlrpc_DECREF(value);
  }
  xmlrpc_value *answer = xmlrpc_build_value(env, "{s:s,s:S}", "result", "OK", "customer", customer);
  xmlrpc_DECREF(customer);
  return answer;
}

int main(int argc, char **argv) {
  xmlrpc_env env;
  struct xmlrpc_method_info3 method = {.methodName = "getCustomerInfo", .methodFunction = &get_customer_info};
  xmlrpc_server_abyss_parms parms;
  if (argc < 2) return 1;
  while (count < 256 && fgets(names[count], sizeof names[count], stdin)) {
    names[count][strcspn(names[count], "\n")] = 0;
    count += 1;
  }
  xmlrpc_env_init(&env);
  memset(&parms, 0, sizeof parms);
  parms.registryP = xmlrpc_registry_new(&env);
  xmlrpc_registry_add_method3(&env, parms.registryP, &method);
  parms.port_number = atoi(argv[1]);
  parms.keepalive_timeout = 60;
  parms.keepalive_max_conn = 2000000000;
  parms.max_conn = 64;
  parms.max_conn_backlog = 64;
  printf("listens on http://127.0.0.1:%s/\n", argv[1]);
  fflush(stdout);
  xmlrpc_server_abyss(&env, &parms, XMLRPC_APSIZE(max_conn_backlog));
  fprintf(stderr, "%s\n", env.fault_string);
  return 1;
}
