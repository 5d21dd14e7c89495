#!/usr/bin/env perl
# The life of a customer over XML-RPC with Digest. Needs RPC::XML (Debian: librpc-xml-perl).
use strict;
use warnings;
use RPC::XML;
use RPC::XML::Client;
use Time::HiRes;

my $url      = $ENV{TREELINE_URL}      || 'http://127.0.0.1:8080/xmlapi/xmlapi';
my $login    = $ENV{TREELINE_LOGIN}    || 'root';
my $password = $ENV{TREELINE_PASSWORD} || '';

$RPC::XML::ENCODING  = 'utf-8';
$RPC::XML::ALLOW_NIL = 1;         # nil clears an attribute

my $client = RPC::XML::Client->new($url);
$client->credentials('Treeline', $login, $password);    # LWP does the Digest

sub fail {
    my ($text) = @_;
    chomp $text;
    print STDERR "$text\n";
    exit 1;
}

# A fault comes back as an object; what is no answer at all comes back as a text.
sub call {
    my ($method, $params) = @_;
    my $answer = $client->send_request($method, $params || {});
    fail("$url: $answer") unless ref $answer;
    return $answer;
}

# The result, where a fault is not expected.
sub result {
    my $answer = call(@_);
    fail('Fault ' . $answer->code . ': ' . $answer->string) if $answer->is_fault;
    return $answer->value;
}

my $name = 'perl-example-' . int(Time::HiRes::time() * 1e6);

my $i_customer = result('createCustomer', {
    name         => $name,
    web_password => 'correct-horse-1',
    i_tariff     => 1,
    balance      => 25.5,
    description  => 'Made by an example',
})->{i_customer};
print "createCustomer: $i_customer\n";

my $customer = result('getCustomerInfo', { i_customer => $i_customer })->{customer};
print "getCustomerInfo: $customer->{name} $customer->{balance} $customer->{base_currency}\n";

my $updated = result('updateCustomer', {
    i_customer   => $i_customer,
    company_name => 'Smith & Sons',
    description  => undef,
});
print "updateCustomer: $updated->{result}\n";

for my $item (@{ result('listCustomers', { name_pattern => $name })->{customers} }) {
    print "listCustomers: $item->{i_customer} $item->{name} $item->{balance}\n";
}

my $user = result('authCustomer', { username => $name, password => 'correct-horse-1' });
print "authCustomer: $user->{i_web_user} $user->{i_access_level}\n";

my $one_time = result('resetCustomerOneTimePassword', { web_login => $name })->{password};
print "resetCustomerOneTimePassword: $one_time\n";

# A one-time password answers fault 410: it was right, and a new password must be set now.
my $answer = call('authCustomer', { username => $name, password => $one_time });
fail('A one-time password must answer fault 410') unless $answer->is_fault && $answer->code == 410;
print 'authCustomer: fault ' . $answer->code . ' ' . $answer->string . "\n";

print 'deleteCustomer: ' . result('deleteCustomer', { i_customer => $i_customer })->{result} . "\n";
